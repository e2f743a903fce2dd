// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "base/status.h"
#include "frontend/codec/generation_bounds.h"
#include "request/generation.h"

namespace cortex::frontend::ollama {

// What the body of POST /api/chat or /api/generate asks for.
struct OllamaCall {
  std::string model;  // as the client named it
  GenerationInput input;
  bool stream = true;
  bool loads = false;  // nothing is asked: Ollama's way to load a model, or to let it go
};

// Read bodies that are followed by Buffer::kPadding readable bytes. kInvalidArgument names the
// field at fault. As with Ollama, fields and options that are not known are read over;
// docs/ollama.md lists what is known and what is refused.
[[nodiscard]] Result<OllamaCall> read_chat(std::string_view padded_body);
[[nodiscard]] Result<OllamaCall> read_generate(std::string_view padded_body);
// The model of POST /api/show.
[[nodiscard]] Result<std::string> read_show(std::string_view padded_body);

// The name without ":latest", which Ollama's clients put behind every name.
[[nodiscard]] std::string_view plain_name(std::string_view name);

}  // namespace cortex::frontend::ollama
