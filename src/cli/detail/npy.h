// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "base/status.h"
#include "cli/command_line.h"

namespace cortex::cli::detail {

// NumPy's .npy files, versions 1 to 3. Numbers and booleans, little-endian and in C order; texts
// (dtypes S and U) become BYTES. The name of the tensor stays empty. Bounded by the input, never
// throws: a file is somebody else's.
[[nodiscard]] Result<TensorValue> parse_npy(std::string_view file);

// BYTES become dtype S with the longest element's length. REQUIRES: the bytes agree with datatype
// and shape.
[[nodiscard]] Result<std::string> write_npy(const TensorValue& tensor);

// Bytes of one element; 0 for BYTES and unknown names.
[[nodiscard]] std::size_t element_bytes(std::string_view datatype);

// "1.5, 2, 3, …": the first `count` values as text; also of BYTES.
[[nodiscard]] std::string first_values(const TensorValue& tensor, std::size_t count);

}  // namespace cortex::cli::detail
