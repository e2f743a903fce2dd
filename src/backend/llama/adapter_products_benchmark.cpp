// SPDX-License-Identifier: Apache-2.0
// What the products with adapters' matrices cost in a step, by the library and by us. One thread.
#include <dlfcn.h>

#include <cstdint>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string>

#include <benchmark/benchmark.h>
#include <ggml-backend-impl.h>

#include "backend/llama/detail/llama_library.h"
#include "backend/llama/detail/own_operations.h"

namespace cortex::backend {
namespace {

constexpr int kLayers = 8;  // each with a matrix of its own
constexpr std::size_t kMemory = std::size_t{256} << 20;
constexpr int kSmallNumber = 0x3C;  // every byte of a float of any type: it is no zero, nor large

// Those of ggml that make a graph.
#define CORTEX_GRAPH_FUNCTIONS(X) \
  X(ggml_init)                    \
  X(ggml_free)                    \
  X(ggml_new_tensor_2d)           \
  X(ggml_set_name) X(ggml_nbytes) X(ggml_mul_mat) X(ggml_new_graph) X(ggml_build_forward_expand)

struct GraphFunctions {
#define CORTEX_GRAPH_MEMBER(name) decltype(&::name) name = nullptr;
  CORTEX_GRAPH_FUNCTIONS(CORTEX_GRAPH_MEMBER)
#undef CORTEX_GRAPH_MEMBER
  bool found = true;
};

GraphFunctions graph_functions(const LlamaLibrary& library) {
  GraphFunctions out;
  void* handle = dlopen(library.path().c_str(), RTLD_NOW | RTLD_LOCAL);
#define CORTEX_GRAPH_FIND(name)                                          \
  out.name = reinterpret_cast<decltype(out.name)>(dlsym(handle, #name)); \
  out.found = out.found && out.name != nullptr;
  CORTEX_GRAPH_FUNCTIONS(CORTEX_GRAPH_FIND)
#undef CORTEX_GRAPH_FIND
  return out;
}

struct Opened {
  std::shared_ptr<const LlamaLibrary> library;
  GraphFunctions graphs;
  ggml_backend_t backends[2] = {};  // the library's, ours
};

ggml_backend_t one_thread(const LlamaFunctions& api, ggml_backend_dev_t processor) {
  const auto set_threads = reinterpret_cast<ggml_backend_set_n_threads_t>(
      api.ggml_backend_reg_get_proc_address(processor->reg, "ggml_backend_set_n_threads")
  );
  ggml_backend_t out = processor->iface.init_backend(processor, nullptr);
  if (out != nullptr && set_threads != nullptr) set_threads(out, 1);
  return out;
}

// The backends stay until the process ends. Empty: there is no library.
const Opened& opened() {
  static const Opened out = [] {
    Opened made;
    auto library = LlamaLibrary::open({});
    if (!library.ok()) {
      std::fprintf(stderr, "%s\n", library.status().to_string().c_str());
      return made;
    }
    made.library = *library;
    made.graphs = graph_functions(*made.library);
    const LlamaFunctions& api = made.library->api();
    ggml_backend_dev_t processor = api.ggml_backend_dev_by_type(GGML_BACKEND_DEVICE_TYPE_CPU);
    made.backends[0] = one_thread(api, processor);
    const OwnOperationsScope ours(false);
    made.backends[1] = one_thread(api, processor);
    return made;
  }();
  return out;
}

struct Sizes {
  std::int64_t width;
  std::int64_t outputs;
  std::int64_t rows;
  ggml_type type;
};

ggml_cgraph* make_graph(const GraphFunctions& graphs, ggml_context* context, const Sizes& sizes) {
  const auto tensor = [&](ggml_type type, std::int64_t width, std::int64_t rows) {
    ggml_tensor* out = graphs.ggml_new_tensor_2d(context, type, width, rows);
    std::memset(out->data, kSmallNumber, graphs.ggml_nbytes(out));
    return out;
  };
  ggml_cgraph* out = graphs.ggml_new_graph(context);
  ggml_tensor* in = tensor(GGML_TYPE_F32, sizes.width, sizes.rows);
  for (int layer = 0; layer < kLayers; ++layer) {
    ggml_tensor* matrix = tensor(sizes.type, sizes.width, sizes.outputs);
    graphs.ggml_set_name(matrix, "benchmark.lora_a");
    graphs.ggml_build_forward_expand(out, graphs.ggml_mul_mat(context, matrix, in));
  }
  return out;
}

void compute(benchmark::State& state, const Sizes& sizes, bool ours) {
  const GraphFunctions& graphs = opened().graphs;
  ggml_backend_t backend = opened().backends[ours ? 1 : 0];
  if (backend == nullptr || !graphs.found) return state.SkipWithError("no library");
  const std::unique_ptr<ggml_context, decltype(graphs.ggml_free)> context(
      graphs.ggml_init({kMemory, nullptr, false}), graphs.ggml_free
  );
  ggml_cgraph* graph = make_graph(graphs, context.get(), sizes);
  for (auto _ : state) {
    if (backend->iface.graph_compute(backend, graph) != GGML_STATUS_SUCCESS)
      return state.SkipWithError("not computed");
  }
  state.counters["per_product"] = benchmark::Counter(
      kLayers, benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert
  );
}

// Arguments of both: type of ggml, rank, width of the model, rows of the step, ours or not.

// The narrow one: as many outputs as the rank has.
void product_a(benchmark::State& state) {
  const auto type = static_cast<ggml_type>(state.range(0));
  compute(state, {state.range(2), state.range(1), state.range(3), type}, state.range(4) == 1);
}

// The wide one: of the rank's width.
void product_b(benchmark::State& state) {
  const auto type = static_cast<ggml_type>(state.range(0));
  compute(state, {state.range(1), state.range(2), state.range(3), type}, state.range(4) == 1);
}

void every_size(benchmark::internal::Benchmark* benchmark) {
  benchmark
      ->ArgsProduct(
          {{GGML_TYPE_F32, GGML_TYPE_F16, GGML_TYPE_BF16},
           {8, 32, 64},
           {576, 4096},
           {1, 8, 512},
           {0, 1}}
      )
      ->ArgNames({"type", "rank", "width", "rows", "ours"})
      ->MinTime(0.05)
      ->Unit(benchmark::kMicrosecond)
      ->UseRealTime();
}

BENCHMARK(product_a)->Apply(every_size);
BENCHMARK(product_b)->Apply(every_size);

}  // namespace
}  // namespace cortex::backend

BENCHMARK_MAIN();
