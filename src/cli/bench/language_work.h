// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace cortex::cli::bench {

// What kinds of prompts come.
enum class LanguageWorkload : std::uint8_t {
  kChat,          // prompts and answers with log-normal lengths, as people write
  kLongPrompt,    // the same, and every so often a prompt of a document's length
  kSharedPrefix,  // questions behind a few long prefixes
  kFlood,         // the chat's, from two who ask: one at a time, and many at once
};

struct LanguageWorkOptions {
  std::string model;
  LanguageWorkload workload = LanguageWorkload::kChat;
  std::size_t prompt_tokens = 64;  // the median
  std::size_t output_tokens = 64;  // the median
  std::size_t long_tokens = 2048;  // of a long prompt, of a prefix
  std::size_t long_every = 16;     // one request in so many has a long prompt
  std::size_t prefixes = 4;
  unsigned seed = 1;
};

// One request. Its answer goes on to its length whatever the model says, so that work is the same
// on every server.
struct LanguageAsk {
  const char* kind = "";  // "chat", "long", "shared"
  std::string body;       // for completions, streamed, with usage
  std::size_t output_tokens = 0;
};

// Requests from one multiple of this to the next have prefixes of their own: what one load left in
// a cache helps no other.
inline constexpr std::size_t kRequestsOfALoad = std::size_t{1} << 24;

// Request `index` of a workload: the same for the same options, on whatever thread. Words are about
// a token each; what they came to is in the answers' usage.
[[nodiscard]] LanguageAsk language_ask(const LanguageWorkOptions& options, std::size_t index);

}  // namespace cortex::cli::bench
