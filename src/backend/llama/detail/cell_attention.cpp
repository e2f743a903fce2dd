// SPDX-License-Identifier: Apache-2.0
#include "backend/llama/detail/cell_attention.h"

#include <atomic>
#include <cstring>

#include "backend/llama/detail/processor_generation.h"

namespace cortex::backend {
namespace {

AttentionKernel attention_kernel_of_processor() {
#if defined(__x86_64__)
  switch (processor_generation()) {
    case ProcessorGeneration::kAvx512:
      return avx512::attend;
    case ProcessorGeneration::kAvx2:
      return avx2::attend;
    case ProcessorGeneration::kOther:
      break;
  }
#endif
  return nullptr;
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

bool attention_tensors_fit(
    const ggml_tensor* query, const ggml_tensor* key, const ggml_tensor* value
) {
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
         attention_tensors_fit(node->src[0], node->src[1], node->src[2]) &&
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

}  // namespace

// A node that computes with us.
struct CellAttention::Layer {
  AttentionKernel kernel;
  AttentionTensors tensors;
  const SeenCells* seen;
  std::size_t key_heads;
  std::atomic<std::size_t> next = 0;  // of key heads times work

  // Called on every thread of the step. Head after head: its keys and values stay in the
  // processor's cache while all rows use them.
  static void attend(ggml_tensor* /*node*/, int /*thread*/, int /*threads*/, void* userdata) {
    auto& layer = *static_cast<Layer*>(userdata);
    const auto& work = layer.seen->work();
    const std::size_t count = work.size() * layer.key_heads;
    for (std::size_t at = layer.next++; at < count; at = layer.next++) {
      const SeenCells::Work& part = work[at % work.size()];
      layer.kernel(layer.tensors, layer.seen->tile(part.tile), at / work.size(), part.queries);
    }
  }
};

CellAttention::CellAttention() : kernel_(attention_kernel_of_processor()) {}

CellAttention::~CellAttention() = default;

bool CellAttention::take(ggml_tensor* node, TakenNodes& taken) {
  if (kernel_ == nullptr || !fits(node)) return false;
  const AttentionTensors tensors = tensors_of(node);
  const SeenCells& seen = seen_by(node, tensors.group);
  Layer& layer = layers_.emplace_back();
  layer.kernel = kernel_;
  layer.tensors = tensors;
  layer.key_heads = static_cast<std::size_t>(node->src[1]->ne[2]);
  layer.seen = &seen;
  taken.take(node, Layer::attend, &layer);
  return true;
}

void CellAttention::clear() {
  layers_.clear();
  seen_used_ = 0;
}

const SeenCells& CellAttention::seen_by(const ggml_tensor* node, std::size_t group) {
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

}  // namespace cortex::backend
