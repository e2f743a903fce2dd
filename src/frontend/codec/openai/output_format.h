// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

#include "frontend/codec/openai/generation_fields.h"

namespace cortex::frontend::openai {

// Readers of what an answer must look like: OpenAI's field, then vLLM's. One of them in a request.
[[nodiscard]] Status read_response_format(
    simdjson::ondemand::value value, std::string_view name, GenerationDraft& draft
);
[[nodiscard]] Status read_structured_outputs(
    simdjson::ondemand::value value, std::string_view name, GenerationDraft& draft
);
[[nodiscard]] Status read_guided_json(
    simdjson::ondemand::value value, std::string_view name, GenerationDraft& draft
);
[[nodiscard]] Status read_guided_regex(
    simdjson::ondemand::value value, std::string_view name, GenerationDraft& draft
);
[[nodiscard]] Status read_guided_choice(
    simdjson::ondemand::value value, std::string_view name, GenerationDraft& draft
);
[[nodiscard]] Status read_guided_grammar(
    simdjson::ondemand::value value, std::string_view name, GenerationDraft& draft
);

}  // namespace cortex::frontend::openai
