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

// Two words for one choice: `continue_final_message` goes on with the last message, with
// `add_generation_prompt` the answer is one of its own. settle_last_message() brings them into the
// conversation; kInvalidArgument where they contradict each other or the last message cannot be
// gone on with. REQUIRES: the messages are read.
[[nodiscard]] Status read_add_generation_prompt(
    simdjson::ondemand::value value, std::string_view name, GenerationDraft& draft
);
[[nodiscard]] Status read_continue_final_message(
    simdjson::ondemand::value value, std::string_view name, GenerationDraft& draft
);
[[nodiscard]] Status settle_last_message(GenerationDraft& draft);

}  // namespace cortex::frontend::openai
