// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/status.h"

namespace cortex::text {

// What a template is given beside the conversation.
struct TemplateInput {
  std::string messages;     // JSON array as OpenAI's chat API has it; `content` is a string
  std::string tools{};      // JSON array of {"type":"function","function":{…}}; empty: none
  std::string arguments{};  // JSON object of further variables; empty: none
  std::int64_t now = 0;     // seconds since the epoch, for strftime_now
  bool add_generation_prompt = true;  // ends where the assistant begins
  // The last message is an assistant's and is to be gone on with: the text ends in its content.
  bool continue_last = false;
};

// A model's chat template (Jinja, as Hugging Face models carry it), rendered by minijinja with
// Python's string and list methods, `raise_exception`, `strftime_now` and `tojson` as in
// transformers.
//
// Immutable, thread-safe. Rendering is bounded in steps (fuel), depth and size: a template comes
// with a model and is not trusted.
class ChatTemplate {
 public:
  // kInvalidArgument with the engine's text and the line.
  static Result<std::shared_ptr<const ChatTemplate>> compile(
      std::string_view jinja, std::string_view begin_token, std::string_view end_token
  );
  ~ChatTemplate();
  ChatTemplate(const ChatTemplate&) = delete;
  ChatTemplate& operator=(const ChatTemplate&) = delete;

  // kInvalidArgument: the template raised an exception (its text, as "roles must alternate"), the
  // JSON is none, or a bound was met.
  [[nodiscard]] Result<std::string> render(const TemplateInput& input) const;

  // Asked once at compilation by rendering: what the template does with what it is given.
  struct Capabilities {
    bool tools = false;        // it writes the tools
    bool tool_calls = false;   // it writes an assistant's calls
    bool system_role = false;  // it takes a system message
    bool thinking = false;     // it knows `enable_thinking`
  };
  [[nodiscard]] const Capabilities& capabilities() const;

 private:
  struct Inner;
  explicit ChatTemplate(std::unique_ptr<Inner> inner);
  std::unique_ptr<Inner> inner_;
};

}  // namespace cortex::text
