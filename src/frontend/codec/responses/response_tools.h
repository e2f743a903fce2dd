// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "frontend/codec/detail/hot_json.h"
#include "request/generation.h"

namespace cortex::frontend::responses {

// Functions as the Responses API writes them: their fields lie flat. Tools that would run in the
// server are refused by name.
[[nodiscard]] Status read_response_tools(
    simdjson::ondemand::value value, std::string_view name, Conversation& conversation
);
[[nodiscard]] Status read_response_tool_choice(
    simdjson::ondemand::value value, std::string_view name, Conversation& conversation
);

// Appends valid JSON without the white space between its tokens: it becomes one line.
void append_one_line(std::string& out, std::string_view json);

// As an answer repeats them: JSON.
[[nodiscard]] std::string tools_text(const Conversation& conversation);
[[nodiscard]] std::string tool_choice_text(const Conversation& conversation);

}  // namespace cortex::frontend::responses
