// SPDX-License-Identifier: Apache-2.0
#include "backend/llama/detail/own_operations.h"

#include <atomic>

#include <ggml-backend-impl.h>

#include "backend/llama/detail/adapter_products.h"
#include "backend/llama/detail/cell_attention.h"
#include "backend/llama/detail/processor_generation.h"
#include "backend/llama/detail/taken_nodes.h"
#include "base/mutex.h"

namespace cortex::backend {
namespace {

using ComputeGraph = decltype(ggml_backend_i::graph_compute);

// Of the one device, written before any context uses it.
struct Installed {
  ggml_backend_dev_t processor = nullptr;
  decltype(&::ggml_graph_n_nodes) node_count = nullptr;
  decltype(&::ggml_graph_node) node_at = nullptr;
  decltype(ggml_backend_device_i::init_backend) init_backend = nullptr;
  std::atomic<ComputeGraph> compute_graph = nullptr;
};

enum class Wanted { kNothing, kProducts, kProductsAndAttention };

Installed installed;
thread_local Wanted wanted_here = Wanted::kNothing;

// The graph of one step while it is computed; kept for its memory.
struct Step {
  AdapterProducts products;
  CellAttention attention;
  TakenNodes taken;

  void take_over(ggml_cgraph* graph, bool with_attention) {
    const int count = installed.node_count(graph);
    for (int i = 0; i < count; ++i) {
      ggml_tensor* node = installed.node_at(graph, i);
      if (!products.take(node, taken) && with_attention) attention.take(node, taken);
    }
  }
  void give_back() {
    taken.give_back();
    products.clear();
    attention.clear();
  }
};

template <bool kAttention>
ggml_status compute_graph(ggml_backend_t backend, ggml_cgraph* graph) {
  thread_local Step step;
  struct Taken {
    ~Taken() { step.give_back(); }  // also where memory for the lists was short
  };
  const Taken taken;
  step.take_over(graph, kAttention);
  return installed.compute_graph.load()(backend, graph);
}

ggml_backend_t init_backend(ggml_backend_dev_t device, const char* parameters) {
  ggml_backend_t out = installed.init_backend(device, parameters);
  if (out == nullptr || wanted_here == Wanted::kNothing) return out;
  installed.compute_graph = out->iface.graph_compute;
  out->iface.graph_compute =
      wanted_here == Wanted::kProducts ? compute_graph<false> : compute_graph<true>;
  return out;
}

}  // namespace

bool install_own_operations(const LlamaFunctions& api, ggml_backend_dev_t processor) {
  static Mutex mutex;
  const MutexLock lock(mutex);
  if (installed.processor != nullptr) return installed.processor == processor;
  if (processor->reg->api_version != GGML_BACKEND_API_VERSION) return false;
  if (processor_generation() == ProcessorGeneration::kOther) return false;
  installed.node_count = api.ggml_graph_n_nodes;
  installed.node_at = api.ggml_graph_node;
  installed.init_backend = processor->iface.init_backend;
  installed.processor = processor;
  processor->iface.init_backend = init_backend;
  return true;
}

OwnOperationsScope::OwnOperationsScope(bool cell_attention) {
  wanted_here = cell_attention ? Wanted::kProductsAndAttention : Wanted::kProducts;
}

OwnOperationsScope::~OwnOperationsScope() { wanted_here = Wanted::kNothing; }

}  // namespace cortex::backend
