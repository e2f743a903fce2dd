// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "app/model_loader.h"
#include "registry/probation.h"

namespace cortex::app {

struct ProberOptions {
  std::string program;  // this program's file: it is run with the command `probe-model`
  std::string onnx_library;
  std::size_t cores = 1;  // of a load, as the server's
  std::chrono::milliseconds deadline{300'000};
  std::uint64_t memory_bytes = 0;  // 0: seven eighths of what the machine has free
};

// The probation of versions by a process of their own for each. The engines outlive it.
[[nodiscard]] registry::ProbationParts make_prober(
    ProberOptions options, const Engines& engines, const SequenceEngines& sequences
);

}  // namespace cortex::app
