// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "base/status.h"
#include "cli/command_line.h"

namespace cortex::app {

// ONNX Runtime on a model file, without a server: what `cortex bench --vs-engine` compares with. It
// goes through the same adapter, so that the difference is what the server adds.
[[nodiscard]] Result<std::unique_ptr<cli::RawEngine>> open_raw_engine(cli::RawEngineOptions options
);

}  // namespace cortex::app
