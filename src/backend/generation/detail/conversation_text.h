// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "request/generation.h"
#include "text/chat_template.h"

namespace cortex::backend {

// A conversation as a chat template takes it. Pure.
//
// What a template does not know is said in words it does: the system's message goes in front of
// the first user's, tools are described in the system's message, calls of tools and their answers
// become text in the form that most models were taught (<tool_call>, <tool_response>).
[[nodiscard]] text::TemplateInput template_input(
    const Conversation& conversation, const text::ChatTemplate::Capabilities& knows
);

// The tools that the model may call: none with ToolChoice::kNone, one with kNamed.
[[nodiscard]] std::vector<Tool> callable_tools(const Conversation& conversation);

}  // namespace cortex::backend
