// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "frontend/codec/detail/request_fields.h"
#include "frontend/codec/openai/generation_call.h"

namespace cortex::frontend::openai {

// What is read of a body before it is known to make sense together.
struct GenerationDraft {
  GenerationCall call;
  Conversation conversation;                     // of a chat
  std::vector<Prompt> prompts;                   // of a completion
  std::optional<std::uint64_t> tokens_max;       // `max_tokens`
  std::optional<std::uint64_t> chat_tokens_max;  // `max_completion_tokens`
  std::optional<std::uint64_t> predict_max;      // `n_predict`; 0: to the end of the context
  std::optional<std::uint64_t> alternatives;     // `top_logprobs`, or `logprobs` of a completion
  bool logprobs = false;                         // of a chat
  bool echo = false;                             // of a completion
  bool stream_options = false;
  std::optional<bool> generation_prompt;  // `add_generation_prompt`
  std::optional<bool> continue_last;      // `continue_final_message`
  std::string template_arguments;
  std::string reasoning_effort;

  // The first of the three that is given.
  [[nodiscard]] std::optional<std::uint64_t> most_tokens() const {
    if (chat_tokens_max) return chat_tokens_max;
    return tokens_max ? tokens_max : predict_max;
  }
};

// One field of a body. `name` is its own, for errors.
struct GenerationField {
  std::string_view name;  // static text
  Status (*read)(simdjson::ondemand::value value, std::string_view name, GenerationDraft& draft);
};

// A field that changes nothing: any value, or those alone that mean what is done anyway.
struct IdleField {
  std::string_view name;    // static text
  std::string_view values;  // JSON texts between "|"; empty: any
};

// Reads the fields of one body: those of its own API, then those that both have. A field that is
// null is a field that is not there. What is not known is refused with its name: nothing that a
// client asks for is left out in silence. Thread: one.
class GenerationReader {
 public:
  GenerationReader(std::span<const GenerationField> own, std::span<const IdleField> own_idle)
      : own_(own), own_idle_(own_idle) {}

  // The whole body; followed by Buffer::kPadding readable bytes. Checks what both APIs ask of their
  // fields together, and settles them in the draft's call.
  [[nodiscard]] Status read(std::string_view padded_body);
  [[nodiscard]] GenerationDraft& draft() { return draft_; }

  // The two halves of read(), for an API with a draft of its own: each field that it does not read
  // itself, then the checks.
  [[nodiscard]] Status take(std::string_view key, simdjson::ondemand::value value);
  [[nodiscard]] Status finish();

 private:
  [[nodiscard]] Status note(std::string_view name);

  const std::span<const GenerationField> own_;
  const std::span<const IdleField> own_idle_;
  std::vector<std::string_view> seen_;
  GenerationDraft draft_;
};

}  // namespace cortex::frontend::openai
