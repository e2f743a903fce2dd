// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>

#include "request/signature.h"

namespace cortex::backend::testing {

// Model files for tests and benchmarks, as bytes.

// INPUT0 -> OUTPUT0, the same.
[[nodiscard]] std::string identity_model(DataType datatype, const Shape& shape);
// INPUT0, INPUT1 -> OUTPUT0 (sum), OUTPUT1 (difference), FP32 [-1,-1].
[[nodiscard]] std::string add_sub_model();
// As Triton's example "simple": INT32 [-1,16].
[[nodiscard]] std::string simple_model();
// INPUT0 FP32 [-1,4] -> OUTPUT0 through DynamicQuantizeLinear.
[[nodiscard]] std::string dynamic_quantization_model();
// input_ids, attention_mask INT64 [-1,-1] -> last_hidden_state FP32 [-1,-1,width]: a row of a table
// for every token, so that neither neighbours nor padding change a token's row.
[[nodiscard]] std::string token_table_model(std::size_t vocabulary, std::size_t width);

void write_file(const std::filesystem::path& file, const std::string& bytes);

// A model repository with identity_<datatype> ([-1,16], batched), identity_string, add_sub, simple,
// token_table.
void write_repository(const std::filesystem::path& folder);

}  // namespace cortex::backend::testing
