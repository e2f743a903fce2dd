// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <simdjson.h>

#include <cstddef>

#include "base/status.h"
#include "request/tensor.h"

namespace cortex::frontend::oip {

// Reads the `data` of an input, flat or nested in any way, straight into a fresh typed buffer.
// `tensor` comes with name, datatype and shape and gets its bytes. Refused: more or fewer elements
// than the shape says, a value that its type cannot hold exactly (300 or 1.5 into INT8), and FP16
// and BF16, which have no JSON form. `json_size` is the length of the whole text: no shape can ask
// for more elements than that.
[[nodiscard]] Status read_json_data(
    simdjson::ondemand::array data, std::size_t json_size, Tensor& tensor
);

}  // namespace cortex::frontend::oip
