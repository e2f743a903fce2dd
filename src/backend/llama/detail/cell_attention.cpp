// SPDX-License-Identifier: Apache-2.0
#include "backend/llama/detail/cell_attention.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cstring>
#include <deque>

#include <ggml-backend-impl.h>

#include "backend/llama/detail/attention_kernel.h"
#include "backend/llama/detail/seen_cells.h"
#include "base/mutex.h"

namespace cortex::backend {
namespace {

// Of the one device, written before any context uses it.
struct Installed {
  ggml_backend_dev_t processor = nullptr;
  AttentionKernel kernel = nullptr;
  decltype(&::ggml_graph_n_nodes) node_count = nullptr;
  decltype(&::ggml_graph_node) node_at = nullptr;
  decltype(ggml_backend_device_i::init_backend) init_backend = nullptr;
  std::atomic<decltype(ggml_backend_i::graph_compute)> graph_compute = nullptr;
};

// Parameters of GGML_OP_CUSTOM: ggml-impl.h's ggml_custom_op_params, in the library's own release.
struct CustomParameters {
  ggml_custom_op_t function;
  int tasks;
  void* userdata;
};

Installed installed;
thread_local bool wanted_here = false;

// A node that computes with us, and what it was before.
struct Layer {
  ggml_tensor* node;
  std::array<std::int32_t, GGML_MAX_OP_PARAMS / sizeof(std::int32_t)> parameters;
  AttentionTensors tensors;
  const SeenCells* seen;
  std::size_t key_heads;
  std::atomic<std::size_t> next = 0;  // of key heads times work
};

// Called on every thread of the step. Head after head: its keys and values stay in the processor's
// cache while all rows use them.
void attend_layer(ggml_tensor* /*node*/, int /*thread*/, int /*threads*/, void* userdata) {
  auto& layer = *static_cast<Layer*>(userdata);
  const auto& work = layer.seen->work();
  const std::size_t count = work.size() * layer.key_heads;
  for (std::size_t at = layer.next++; at < count; at = layer.next++) {
    const SeenCells::Work& part = work[at % work.size()];
    installed.kernel(layer.tensors, layer.seen->tile(part.tile), at / work.size(), part.queries);
  }
}

float parameter(const ggml_tensor* node, std::size_t index) {
  float out = 0;
  std::memcpy(&out, &node->op_params[index], sizeof out);
  return out;
}

bool size_fits(std::int64_t size) {
  return size > 0 && size % static_cast<std::int64_t>(kAttentionWidth) == 0 &&
         size <= static_cast<std::int64_t>(kAttentionHeadMax);
}

bool tensors_fit(const ggml_tensor* query, const ggml_tensor* key, const ggml_tensor* value) {
  const bool types =
      query->type == GGML_TYPE_F32 && key->type == GGML_TYPE_F16 && value->type == GGML_TYPE_F16;
  const bool contiguous = query->nb[0] == sizeof(float) && key->nb[0] == sizeof(ggml_fp16_t) &&
                          value->nb[0] == sizeof(ggml_fp16_t);
  const bool one_stream = query->ne[3] == 1 && key->ne[3] == 1 && value->ne[3] == 1;
  const bool heads = key->ne[2] == value->ne[2] && query->ne[2] % key->ne[2] == 0;
  return types && contiguous && one_stream && heads && size_fits(key->ne[0]) &&
         size_fits(value->ne[0]);
}

bool mask_fits(const ggml_tensor* mask, std::int64_t rows, std::int64_t cells) {
  return mask != nullptr && mask->op == GGML_OP_NONE && mask->type == GGML_TYPE_F16 &&
         mask->nb[0] == sizeof(ggml_fp16_t) && mask->ne[0] == cells && mask->ne[1] >= rows &&
         mask->ne[2] == 1 && mask->ne[3] == 1 && cells % static_cast<std::int64_t>(kMaskCells) == 0;
}

// Parameters of the node, as ggml_flash_attn_ext sets them: scale, bias by distance, soft cap.
// Its fifth source holds sinks.
bool fits(const ggml_tensor* node) {
  return node->op == GGML_OP_FLASH_ATTN_EXT && (node->flags & GGML_TENSOR_FLAG_COMPUTE) != 0 &&
         parameter(node, 1) == 0 && parameter(node, 2) == 0 && node->src[4] == nullptr &&
         tensors_fit(node->src[0], node->src[1], node->src[2]) &&
         mask_fits(node->src[3], node->src[0]->ne[1], node->src[1]->ne[1]);
}

AttentionTensors tensors_of(const ggml_tensor* node) {
  const ggml_tensor* query = node->src[0];
  const ggml_tensor* key = node->src[1];
  const ggml_tensor* value = node->src[2];
  return {
      .query = {static_cast<const char*>(query->data), query->nb[1], query->nb[2]},
      .key = {static_cast<const char*>(key->data), key->nb[1], key->nb[2]},
      .value = {static_cast<const char*>(value->data), value->nb[1], value->nb[2]},
      .out = {static_cast<char*>(node->data), node->nb[2], node->nb[1]},  // heads before rows
      .key_size = static_cast<std::size_t>(key->ne[0]),
      .value_size = static_cast<std::size_t>(value->ne[0]),
      .group = static_cast<std::size_t>(query->ne[2] / key->ne[2]),
      .scale = parameter(node, 0),
  };
}

// The graph of one step while it is computed.
class Step {
 public:
  void take_over(ggml_cgraph* graph);
  void give_back();

 private:
  struct Seen {
    const ggml_tensor* mask = nullptr;
    std::size_t group = 0;
    SeenCells cells;
  };
  const SeenCells& seen_by(const ggml_tensor* node, std::size_t group);

  std::deque<Layer> layers_;
  std::deque<Seen> seen_;  // one for each mask; kept for their memory
  std::size_t seen_used_ = 0;
};

const SeenCells& Step::seen_by(const ggml_tensor* node, std::size_t group) {
  const ggml_tensor* mask = node->src[3];
  for (std::size_t i = 0; i < seen_used_; ++i) {
    if (seen_[i].mask == mask && seen_[i].group == group) return seen_[i].cells;
  }
  if (seen_used_ == seen_.size()) seen_.emplace_back();
  Seen& out = seen_[seen_used_++];
  out.mask = mask;
  out.group = group;
  const CellMask cells{
      .data = static_cast<const char*>(mask->data),
      .row_step = mask->nb[1],
      .rows = static_cast<std::size_t>(node->src[0]->ne[1]),
      .cells = static_cast<std::size_t>(mask->ne[0]),
  };
  out.cells.read(cells, group);
  return out.cells;
}

void Step::take_over(ggml_cgraph* graph) {
  const int count = installed.node_count(graph);
  for (int i = 0; i < count; ++i) {
    ggml_tensor* node = installed.node_at(graph, i);
    if (!fits(node)) continue;
    const AttentionTensors tensors = tensors_of(node);
    const SeenCells& seen = seen_by(node, tensors.group);
    Layer& layer = layers_.emplace_back();
    layer.node = node;
    layer.tensors = tensors;
    layer.key_heads = static_cast<std::size_t>(node->src[1]->ne[2]);
    layer.seen = &seen;
    std::memcpy(layer.parameters.data(), node->op_params, sizeof layer.parameters);
    const CustomParameters ours{attend_layer, GGML_N_TASKS_MAX, &layer};
    static_assert(sizeof ours <= sizeof layer.parameters);
    std::memcpy(node->op_params, &ours, sizeof ours);
    node->op = GGML_OP_CUSTOM;
  }
}

void Step::give_back() {
  for (const Layer& layer : layers_) {
    layer.node->op = GGML_OP_FLASH_ATTN_EXT;
    std::memcpy(layer.node->op_params, layer.parameters.data(), sizeof layer.parameters);
  }
  layers_.clear();
  seen_used_ = 0;
}

ggml_status compute_graph(ggml_backend_t backend, ggml_cgraph* graph) {
  thread_local Step step;
  struct Taken {
    ~Taken() { step.give_back(); }  // also where memory for the lists was short
  };
  const Taken taken;
  step.take_over(graph);
  return installed.graph_compute.load()(backend, graph);
}

ggml_backend_t init_backend(ggml_backend_dev_t device, const char* parameters) {
  ggml_backend_t out = installed.init_backend(device, parameters);
  if (out == nullptr || !wanted_here) return out;
  installed.graph_compute = out->iface.graph_compute;
  out->iface.graph_compute = compute_graph;
  return out;
}

AttentionKernel kernel_of_processor() {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq"))
    return avx512::attend;
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return avx2::attend;
#endif
  return nullptr;
}

}  // namespace

bool install_cell_attention(const LlamaFunctions& api, ggml_backend_dev_t processor) {
  static Mutex mutex;
  const MutexLock lock(mutex);
  if (installed.processor != nullptr) return installed.processor == processor;
  if (processor->reg->api_version != GGML_BACKEND_API_VERSION) return false;
  installed.kernel = kernel_of_processor();
  if (installed.kernel == nullptr) return false;
  installed.node_count = api.ggml_graph_n_nodes;
  installed.node_at = api.ggml_graph_node;
  installed.init_backend = processor->iface.init_backend;
  installed.processor = processor;
  processor->iface.init_backend = init_backend;
  return true;
}

CellAttentionScope::CellAttentionScope(bool wanted) { wanted_here = wanted; }

CellAttentionScope::~CellAttentionScope() { wanted_here = false; }

}  // namespace cortex::backend
