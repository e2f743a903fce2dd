// SPDX-License-Identifier: Apache-2.0
#include "backend/llama/detail/taken_nodes.h"

#include <cstring>

namespace cortex::backend {
namespace {

// Parameters of GGML_OP_CUSTOM: ggml-impl.h's ggml_custom_op_params, in the library's own release.
struct CustomParameters {
  ggml_custom_op_t function;
  int tasks;
  void* userdata;
};

}  // namespace

void TakenNodes::take(ggml_tensor* node, ggml_custom_op_t function, void* data) {
  Taken& taken = taken_.emplace_back();
  taken.node = node;
  taken.operation = node->op;
  std::memcpy(taken.parameters.data(), node->op_params, sizeof taken.parameters);
  const CustomParameters ours{function, GGML_N_TASKS_MAX, data};
  static_assert(sizeof ours <= sizeof taken.parameters);
  std::memcpy(node->op_params, &ours, sizeof ours);
  node->op = GGML_OP_CUSTOM;
}

void TakenNodes::give_back() {
  for (const Taken& taken : taken_) {
    taken.node->op = taken.operation;
    std::memcpy(taken.node->op_params, taken.parameters.data(), sizeof taken.parameters);
  }
  taken_.clear();
}

}  // namespace cortex::backend
