// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/status.h"
#include "request/generation.h"
#include "text/tokenizer.h"

namespace cortex::backend {

// The tokens of a text, and the text of tokens, within the bounds of beside_lane.h. Pure.
// kInvalidArgument names the field at fault: a conversation, an id outside the vocabulary, a text
// that is too long.
[[nodiscard]] Result<TokenizeOutput> tokenize_text(
    const text::Tokenizer& tokenizer, const TokenizeInput& input
);
[[nodiscard]] Result<DetokenizeOutput> text_of_tokens(
    const text::Tokenizer& tokenizer, const DetokenizeInput& input
);

}  // namespace cortex::backend
