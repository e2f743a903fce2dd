// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

#include "frontend/codec/openai/generation_fields.h"

namespace cortex::frontend::openai {

// Reads `messages`. Parts of a content that are text are joined; media are refused by name. What
// else stands in a message is read over: clients send back whole messages that they were given.
[[nodiscard]] Status read_messages(
    simdjson::ondemand::value value, std::string_view name, GenerationDraft& draft
);

}  // namespace cortex::frontend::openai
