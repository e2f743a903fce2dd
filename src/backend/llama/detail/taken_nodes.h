// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ggml.h>

#include <array>
#include <cstdint>
#include <vector>

namespace cortex::backend {

// Nodes of a graph of the library that compute with functions of ours, on the library's threads,
// for the time of one step. Thread: that of the step.
class TakenNodes {
 public:
  // Called on every thread of the step, with `data`, which stands until give_back().
  void take(ggml_tensor* node, ggml_custom_op_t function, void* data);
  // They are again what they were. REQUIRES: the graph still stands.
  void give_back();

 private:
  struct Taken {
    ggml_tensor* node;
    ggml_op operation;
    std::array<std::int32_t, GGML_MAX_OP_PARAMS / sizeof(std::int32_t)> parameters;
  };

  std::vector<Taken> taken_;
};

}  // namespace cortex::backend
