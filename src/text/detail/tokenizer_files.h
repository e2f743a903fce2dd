// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>

#include "base/status.h"
#include "text/detail/cortex_text.h"

namespace cortex::text {

// The whole file. kNotFound without it, kInvalidArgument beyond `bytes_max`.
Result<std::string> read_file(const std::filesystem::path& file, std::size_t bytes_max);

// The text of the tokenizer_config.json in the folder of `vocabulary`; empty without one.
std::string read_config_beside(const std::filesystem::path& vocabulary);

// BERT's uncased rules, changed by what a tokenizer_config.json says. kInvalidArgument if that is
// no JSON object or has a setting of the wrong type.
Result<cortex_text_bert_rules> bert_rules(std::string_view config);

}  // namespace cortex::text
