// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "base/status.h"

namespace cortex::frontend::mlflow {

// What the tag mlflow.log-model.history keeps of a model's description, as JSON: run, path, time,
// id and flavours without their settings. kInvalidArgument: it is no JSON object or lacks a field.
// Pure.
[[nodiscard]] Result<std::string> model_history_entry(std::string_view model_json);

}  // namespace cortex::frontend::mlflow
