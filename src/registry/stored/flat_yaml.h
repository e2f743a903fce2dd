// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "base/status.h"

namespace cortex::registry {

// Every scalar of a YAML text under its path: "flavors.onnx.data", "inputs[0].name". For comparing
// two descriptions. The text is not trusted: 1 MiB at most, and what check_yaml bounds.
// kInvalidArgument names the line. Pure.
[[nodiscard]] Result<std::map<std::string, std::string>> flatten_yaml(std::string_view text);

}  // namespace cortex::registry
