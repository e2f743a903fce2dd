// SPDX-License-Identifier: Apache-2.0
// usage: cortex_token_sampling_benchmark [OPTION OF GOOGLE BENCHMARK …] MODEL.gguf
//
// What drawing costs, beside the step that it follows: a token of 1, 4 and 16 sequences. One
// thread.
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>

#include "backend/llama/llama_engine.h"

namespace cortex::backend {
namespace {

constexpr int kRemembered = 300;  // tokens that the penalties look back on

std::string model_file;

SequenceBackend* model() {
  static const std::unique_ptr<SequenceBackend> loaded = [] {
    SequenceBackendOptions options;
    options.model_file = model_file;
    options.model_name = "benchmark";
    options.cells = 1024;
    auto made = LlamaEngine().load(options);
    if (!made.ok()) std::fprintf(stderr, "%s\n", made.status().to_string().c_str());
    return made.ok() ? std::move(*made) : nullptr;
  }();
  return loaded.get();
}

// The first token of so many sequences.
bool step(SequenceBackend& backend, SequenceId sequences) {
  std::vector<StepRow> rows;
  for (SequenceId i = 0; i < sequences; ++i) rows.push_back({100, 0, i, true});
  SequenceStep out;
  out.rows = rows;
  return backend.decode(out).ok();
}

void step_of_sequences(benchmark::State& state) {
  SequenceBackend* const backend = model();
  const auto sequences = static_cast<SequenceId>(state.range(0));
  for (auto _ : state) {
    if (backend == nullptr || !step(*backend, sequences)) return state.SkipWithError("no step");
    for (SequenceId i = 0; i < sequences; ++i) backend->remove(i, 0, -1);
  }
}

void draw(benchmark::State& state, const SamplingSettings& settings, const SampleOptions& options) {
  SequenceBackend* const backend = model();
  if (backend == nullptr || !step(*backend, 1)) return state.SkipWithError("no step");
  const auto sampler = backend->make_sampler(settings, 1);
  for (int i = 0; i < kRemembered; ++i) sampler->accept(100 + i % 50);
  for (auto _ : state) {
    benchmark::DoNotOptimize(sampler->sample(backend->logits(0), options));
  }
  backend->remove(0, 0, -1);
}

// A token of each row of a step, one row after the other: what the step is followed by.
void draw_rows(benchmark::State& state, const SamplingSettings& settings) {
  SequenceBackend* const backend = model();
  const auto sequences = static_cast<SequenceId>(state.range(0));
  if (backend == nullptr || !step(*backend, sequences)) return state.SkipWithError("no step");
  std::vector<std::unique_ptr<TokenSampler>> samplers;
  for (SequenceId i = 0; i < sequences; ++i) {
    samplers.push_back(backend->make_sampler(settings, static_cast<std::uint64_t>(i)));
  }
  for (auto _ : state) {
    for (std::size_t i = 0; i < samplers.size(); ++i) {
      benchmark::DoNotOptimize(samplers[i]->sample(backend->logits(i), {}));
    }
  }
  for (SequenceId i = 0; i < sequences; ++i) backend->remove(i, 0, -1);
}

void draw_the_likeliest(benchmark::State& state) {
  SamplingSettings settings;
  settings.temperature = 0;
  draw(state, settings, {});
}

void draw_from_all(benchmark::State& state) { draw_rows(state, {}); }

SamplingSettings usual() {
  SamplingSettings settings;
  settings.temperature = 0.7F;
  settings.top_k = 40;
  settings.top_p = 0.95F;
  return settings;
}

void draw_as_usual(benchmark::State& state) { draw_rows(state, usual()); }

void draw_from_nucleus(benchmark::State& state) {
  SamplingSettings settings;
  settings.top_p = 0.9F;
  draw(state, settings, {});
}

void draw_with_log_probabilities(benchmark::State& state) {
  SampleOptions options;
  options.top_logprobs = 5;
  draw(state, usual(), options);
}

void draw_behind_a_mask(benchmark::State& state) {
  std::vector<std::uint32_t> mask;
  if (model() != nullptr) {
    mask.assign((model()->model().vocabulary_size + 31) / 32, 0x55555555U);
  }
  SampleOptions options;
  options.allowed = mask;
  draw(state, usual(), options);
}

void draw_with_all_penalties(benchmark::State& state) {
  SamplingSettings settings = usual();
  settings.repeat_penalty = 1.1F;
  settings.frequency_penalty = 0.5F;
  settings.dry_multiplier = 0.8F;
  draw(state, settings, {});
}

BENCHMARK(step_of_sequences)->Arg(1)->Arg(4)->Arg(16)->Unit(benchmark::kMicrosecond);
BENCHMARK(draw_the_likeliest)->Unit(benchmark::kMicrosecond);
BENCHMARK(draw_from_all)->Arg(1)->Arg(4)->Arg(16)->Unit(benchmark::kMicrosecond);
BENCHMARK(draw_as_usual)->Arg(1)->Arg(4)->Arg(16)->Unit(benchmark::kMicrosecond);
BENCHMARK(draw_from_nucleus)->Unit(benchmark::kMicrosecond);
BENCHMARK(draw_with_log_probabilities)->Unit(benchmark::kMicrosecond);
BENCHMARK(draw_behind_a_mask)->Unit(benchmark::kMicrosecond);
BENCHMARK(draw_with_all_penalties)->Unit(benchmark::kMicrosecond);

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
