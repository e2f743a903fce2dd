// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "frontend/codec/detail/request_fields.h"
#include "request/generation.h"

namespace cortex::frontend::anthropic {

// Reads one element of `messages` and appends what it becomes: the answers of tools in a user's
// message are messages of their own, before his text.
[[nodiscard]] Status read_message(
    simdjson::ondemand::value value, const std::string& where, std::vector<Message>& messages
);

// Reads a text, or blocks of type text, which are joined.
[[nodiscard]] Status read_texts(
    simdjson::ondemand::value value, const std::string& where, std::string& text
);

}  // namespace cortex::frontend::anthropic
