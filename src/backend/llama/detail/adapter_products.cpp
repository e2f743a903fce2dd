// SPDX-License-Identifier: Apache-2.0
#include "backend/llama/detail/adapter_products.h"

#include <algorithm>
#include <atomic>
#include <optional>
#include <string_view>

#include "backend/llama/detail/processor_generation.h"

namespace cortex::backend {
namespace {

// Parts for each thread: what one is late with the others do.
constexpr std::size_t kPartsOfThread = 4;
// Rows of a part. A group of the matrix stays in the processor's cache meanwhile.
constexpr std::size_t kRowsMax = 64;

ProductKernel product_kernel_of_processor() {
#if defined(__x86_64__)
  switch (processor_generation()) {
    case ProcessorGeneration::kAvx512:
      return avx512::multiply;
    case ProcessorGeneration::kAvx2:
      return avx2::multiply;
    case ProcessorGeneration::kOther:
      break;
  }
#endif
  return nullptr;
}

std::optional<ProductNumbers> numbers_of(ggml_type type) {
  switch (type) {
    case GGML_TYPE_F32:
      return ProductNumbers::kFloat;
    case GGML_TYPE_F16:
      return ProductNumbers::kHalf;
    case GGML_TYPE_BF16:
      return ProductNumbers::kBfloat16;
    default:
      return std::nullopt;
  }
}

// By its name, as it stands in the adapter's file.
bool is_of_adapter(const ggml_tensor* matrix) {
  const std::string_view name = matrix->name;
  return matrix->op == GGML_OP_NONE && (name.ends_with(".lora_a") || name.ends_with(".lora_b"));
}

bool is_flat(const ggml_tensor* tensor) { return tensor->ne[2] == 1 && tensor->ne[3] == 1; }

bool product_fits(const ggml_tensor* node) {
  if (node->op != GGML_OP_MUL_MAT || (node->flags & GGML_TENSOR_FLAG_COMPUTE) == 0) return false;
  const ggml_tensor* matrix = node->src[0];
  const ggml_tensor* in = node->src[1];
  return is_of_adapter(matrix) && is_flat(matrix) && numbers_of(matrix->type).has_value() &&
         is_flat(in) && in->type == GGML_TYPE_F32 && in->nb[0] == sizeof(float) &&
         node->type == GGML_TYPE_F32 && node->nb[0] == sizeof(float) && matrix->ne[0] > 0 &&
         matrix->ne[1] > 0;
}

ProductTensors product_tensors(const ggml_tensor* node) {
  const ggml_tensor* matrix = node->src[0];
  const ggml_tensor* in = node->src[1];
  return {
      .matrix = static_cast<const char*>(matrix->data),
      .matrix_step = matrix->nb[1],
      .numbers = *numbers_of(matrix->type),
      .in = static_cast<const char*>(in->data),
      .in_step = in->nb[1],
      .out = static_cast<char*>(node->data),
      .out_step = node->nb[1],
      .width = static_cast<std::size_t>(matrix->ne[0]),
      .outputs = static_cast<std::size_t>(matrix->ne[1]),
  };
}

}  // namespace

// A node that computes with us.
struct AdapterProducts::Product {
  ProductKernel kernel;
  ProductTensors tensors;
  std::size_t rows;
  std::atomic<std::size_t> next = 0;  // of the parts

  // Called on every thread of the step.
  static void multiply(ggml_tensor* /*node*/, int /*thread*/, int threads, void* userdata) {
    auto& product = *static_cast<Product*>(userdata);
    const std::size_t groups = (product.tensors.outputs + kProductGroup - 1) / kProductGroup;
    const std::size_t wanted = kPartsOfThread * static_cast<std::size_t>(threads);
    const std::size_t groups_at_once = std::max<std::size_t>(1, groups / wanted);
    const std::size_t slices = (groups + groups_at_once - 1) / groups_at_once;
    const std::size_t blocks = (product.rows + kRowsMax - 1) / kRowsMax;
    for (std::size_t at = product.next++; at < slices * blocks; at = product.next++) {
      const std::size_t group = at / blocks * groups_at_once;
      const std::size_t row = at % blocks * kRowsMax;
      const ProductPart part{
          .first_group = group,
          .groups = std::min(groups_at_once, groups - group),
          .first_row = row,
          .rows = std::min(kRowsMax, product.rows - row),
      };
      product.kernel(product.tensors, part);
    }
  }
};

AdapterProducts::AdapterProducts() : kernel_(product_kernel_of_processor()) {}

AdapterProducts::~AdapterProducts() = default;

bool AdapterProducts::take(ggml_tensor* node, TakenNodes& taken) {
  if (kernel_ == nullptr || !product_fits(node)) return false;
  Product& product = products_.emplace_back();
  product.kernel = kernel_;
  product.tensors = product_tensors(node);
  product.rows = static_cast<std::size_t>(node->src[1]->ne[1]);
  taken.take(node, Product::multiply, &product);
  return true;
}

void AdapterProducts::clear() { products_.clear(); }

}  // namespace cortex::backend
