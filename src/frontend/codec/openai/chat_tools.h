// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

#include "frontend/codec/openai/generation_fields.h"

namespace cortex::frontend::openai {

[[nodiscard]] Status read_tools(
    simdjson::ondemand::value value, std::string_view name, GenerationDraft& draft
);
[[nodiscard]] Status read_tool_choice(
    simdjson::ondemand::value value, std::string_view name, GenerationDraft& draft
);
[[nodiscard]] Status read_parallel_tool_calls(
    simdjson::ondemand::value value, std::string_view name, GenerationDraft& draft
);

// Whether the choice can be made among the tools: once both were read.
[[nodiscard]] Status check_tool_choice(const Conversation& conversation);

}  // namespace cortex::frontend::openai
