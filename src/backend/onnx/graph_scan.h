// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>

#include "base/status.h"

namespace cortex::backend {

// True when a model (ONNX ModelProto) has an operator that scales over all that it is given:
// DynamicQuantizeLinear, DynamicQuantizeMatMul, DynamicQuantizeLSTM. Such a model's answers depend
// on their neighbours in a batch. Graphs in attributes (If, Loop) and the model's own functions
// count too.
//
// Reads the nodes and skips the weights, however large they are; takes time linear in the nodes and
// no memory to speak of. kInvalidArgument when the bytes are no model. Safe on hostile bytes.
[[nodiscard]] Result<bool> quantizes_dynamically(std::span<const std::byte> model);
[[nodiscard]] Result<bool> quantizes_dynamically(const std::filesystem::path& file);

}  // namespace cortex::backend
