// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace cortex::cli::detail {

// What a chat asks of the sampler; unset: the server's own.
struct ChatSampling {
  std::optional<std::size_t> max_tokens;
  std::optional<double> temperature;
  std::optional<double> top_p;
  std::optional<std::size_t> top_k;
  std::optional<double> min_p;
  std::optional<double> repeat_penalty;
  std::optional<std::size_t> seed;
  std::vector<std::string> stop;
};

// The messages of a chat, and the request that the next turn of it is. A value.
class Conversation {
 public:
  Conversation(std::string model, std::string system, ChatSampling sampling);

  // The body for chat completions: everything said so far and `said`, streamed, with usage.
  [[nodiscard]] std::string request(const std::string& said) const;
  // Keeps a turn.
  void add(std::string said, std::string answered);
  // Forgets all but the system message.
  void clear() { turns_.clear(); }
  [[nodiscard]] std::size_t turns() const { return turns_.size(); }

 private:
  std::string model_;
  std::string system_;
  ChatSampling sampling_;
  std::vector<std::pair<std::string, std::string>> turns_;
};

}  // namespace cortex::cli::detail
