// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace cortex::registry {

// What MLflow's file MLmodel says that matters here.
struct MlModel {
  std::vector<std::string> flavors;  // "onnx", "python_function", "sklearn"; sorted
  std::string onnx_file;             // flavors.onnx.data; empty: there is no ONNX flavor
};

inline constexpr std::size_t kMlModelBytesMax = 1 << 20;

// The text is not trusted: size, depth and number of values are bounded, and the file that it names
// stays in its folder. Unknown keys are skipped. kInvalidArgument names the line or the key. Pure.
[[nodiscard]] Result<MlModel> parse_mlmodel(std::string_view text);

}  // namespace cortex::registry
