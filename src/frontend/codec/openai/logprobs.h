// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <span>
#include <string>

#include "request/generation.h"

namespace cortex::frontend::openai {

// Appends the log probabilities of a chat's tokens: {"content":[…],"refusal":null}. Tokens that are
// a part of a character show U+FFFD as their text and the truth in `bytes`.
void append_chat_logprobs(std::string& out, std::span<const TokenText> tokens);

// The list alone: […].
void append_token_list(std::string& out, std::span<const TokenText> tokens);

// Appends those of a completion's tokens: four lists side by side. `offset` is the place of the
// first token in the text, in characters, and becomes the place behind the last. A token that has
// none (the first of an echoed prompt) has the log probability NaN and gets nulls.
void append_completion_logprobs(
    std::string& out, std::span<const TokenText> tokens, std::size_t& offset
);

}  // namespace cortex::frontend::openai
