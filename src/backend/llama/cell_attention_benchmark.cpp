// SPDX-License-Identifier: Apache-2.0
// usage: cortex_cell_attention_benchmark [OPTION OF GOOGLE BENCHMARK …] MODEL.gguf
//
// What a row of a step costs behind a text, with the attention of the library and with ours. One
// thread.
#include <algorithm>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>

#include "backend/llama/llama_engine.h"

namespace cortex::backend {
namespace {

constexpr std::int64_t kStepMax = 256;

std::string model_file;

std::unique_ptr<SequenceBackend> load(bool ours) {
  SequenceBackendOptions options;
  options.model_file = model_file;
  options.model_name = "benchmark";
  options.cells = 8192;
  options.parameters["cell_attention"] = ours ? "1" : "0";
  auto loaded = LlamaEngine().load(options);
  if (!loaded.ok()) std::fprintf(stderr, "%s\n", loaded.status().to_string().c_str());
  return loaded.ok() ? std::move(*loaded) : nullptr;
}

bool read(SequenceBackend& backend, std::int64_t from, std::int64_t count) {
  std::vector<StepRow> rows;
  for (std::int64_t i = from; i < from + count; ++i) {
    rows.push_back({static_cast<Token>(100 + i % 1000), static_cast<std::int32_t>(i), 0, false});
  }
  rows.back().output = true;
  SequenceStep step;
  step.rows = rows;
  return backend.decode(step).ok();
}

// A model that has read a text, kept for the next runs that want the same.
struct Reader {
  std::int64_t ours = -1;
  std::int64_t before = -1;
  std::unique_ptr<SequenceBackend> backend;
};

SequenceBackend* reader(std::int64_t ours, std::int64_t before) {
  static Reader last;
  if (last.ours == ours && last.before == before) return last.backend.get();
  last = {ours, before, load(ours == 1)};
  bool well = last.backend != nullptr;
  for (std::int64_t at = 0; well && at < before; at += kStepMax) {
    well = read(*last.backend, at, std::min(kStepMax, before - at));
  }
  if (!well) last.backend.reset();
  return last.backend.get();
}

// Arguments: rows of the step, tokens before, ours or not.
void rows_behind_a_text(benchmark::State& state) {
  const std::int64_t rows = state.range(0);
  const std::int64_t before = state.range(1);
  SequenceBackend* backend = reader(state.range(2), before);
  for (auto _ : state) {
    if (backend == nullptr || !read(*backend, before, rows)) return state.SkipWithError("no step");
    backend->remove(0, static_cast<std::int32_t>(before), -1);
  }
  state.counters["per_row"] = benchmark::Counter(
      static_cast<double>(rows),
      benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert
  );
}

BENCHMARK(rows_behind_a_text)
    ->ArgsProduct({{1, 4, 16, 64}, {128, 3600}, {0, 1}})
    ->ArgNames({"rows", "before", "ours"})
    ->Iterations(5)
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();

int run(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (argc != 2) {
    std::fprintf(stderr, "usage: %s [OPTION …] MODEL.gguf\n", argv[0]);
    return 2;
  }
  model_file = argv[1];
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}

}  // namespace
}  // namespace cortex::backend

int main(int argc, char** argv) { return cortex::backend::run(argc, argv); }
