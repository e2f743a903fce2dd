// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"

namespace cortex::cli::bench {

// What kinds of prompts come.
enum class LanguageWorkload : std::uint8_t {
  kChat,          // prompts and answers with log-normal lengths, as people write
  kLongPrompt,    // the same, and every so often a prompt of a document's length
  kSharedPrefix,  // questions behind a few long prefixes
  kFlood,         // the chat's, from two who ask: one at a time, and many at once
  kMultiTurn,     // conversations: each prompt is all that was said before, and some words more
  kAdapters,      // the chat's, each for one of several adapters, some asked for more than others
};

struct LanguageWorkOptions {
  std::string model;
  LanguageWorkload workload = LanguageWorkload::kChat;
  std::size_t prompt_tokens = 64;  // the median
  std::size_t output_tokens = 64;  // the median
  std::size_t long_tokens = 2048;  // of a long prompt, of a prefix
  std::size_t long_every = 16;     // one request in so many has a long prompt
  std::size_t prefixes = 4;
  std::size_t turns = 5;              // of a conversation
  double think_seconds = 2;           // from an answer to the next turn, on average
  std::vector<std::string> adapters;  // by the names that requests give, the most wanted first
  double adapter_skew = 1;            // the n-th is asked for in proportion to n to the minus this
  double leaving = 0;                 // share of the requests whose client leaves in the answer
  unsigned seed = 1;
};

// One request. Its answer goes on to its length whatever the model says, so that work is the same
// on every server.
struct LanguageAsk {
  const char* kind = "";  // "chat", "long", "shared", "first", "later", "popular", "rare"
  std::string body;       // for completions, streamed, with usage
  std::size_t output_tokens = 0;
  std::size_t leaves_after = 0;  // parts of the answer; 0: at its end
};

// Requests from one multiple of this to the next have prefixes of their own: what one load left in
// a cache helps no other.
inline constexpr std::size_t kRequestsOfALoad = std::size_t{1} << 24;

// Request `index` of a workload: the same for the same options, on whatever thread. Words are about
// a token each; what they came to is in the answers' usage.
[[nodiscard]] LanguageAsk language_ask(const LanguageWorkOptions& options, std::size_t index);

// What one client of kMultiTurn says, with the server's own answers between. Thread: one at a time.
class LanguageConversation {
 public:
  // `options` outlive it.
  explicit LanguageConversation(const LanguageWorkOptions& options) : options_(options) {}

  // Its next turn, or the first of a new one; `index` as in language_ask().
  [[nodiscard]] LanguageAsk ask(std::size_t index);
  // The whole answer to it. The time until the next turn, drawn from an exponential distribution.
  Duration hear(std::string_view answer);
  // There was none, or not all of it: the next turn begins a new one.
  void break_off() { turn_ = 0; }

 private:
  const LanguageWorkOptions& options_;
  std::size_t index_ = 0;
  std::size_t turn_ = 0;
  std::string said_;
};

}  // namespace cortex::cli::bench
