// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <string>

#include <benchmark/benchmark.h>

#include "base/thread.h"
#include "scheduler/tensor_lane.h"
#include "scheduler/testing/waiter.h"

namespace cortex::scheduler {
namespace {

using testing::Waiter;

// Answers with its input: what is measured is the lane alone.
class EchoBackend final : public backend::TensorBackend {
 public:
  EchoBackend() {
    signature_.inputs = {{"x", DataType::kFp32, {-1, 16}, false}};
    signature_.outputs = {{"y", DataType::kFp32, {-1, 16}, false}};
  }
  [[nodiscard]] const ModelSignature& signature() const override { return signature_; }
  [[nodiscard]] Status run(const backend::TensorRun& run, std::vector<Tensor>& outputs) override {
    outputs.push_back(run.inputs[0]);
    return {};
  }

 private:
  ModelSignature signature_;
};

std::shared_ptr<const Request> request() {
  const std::array<float, 16> values{};
  auto made = std::make_shared<Request>();
  InferInput input;
  input.inputs = {tensor_of("x", {1, 16}, values)};
  made->input = std::move(input);
  return made;
}

std::unique_ptr<TensorLane> lane(bool run_inline, std::size_t max_batch_size) {
  TensorLaneOptions options;
  options.identity = {"echo", "1"};
  options.config.name = "echo";
  options.config.max_batch_size = max_batch_size;
  options.config.batching.enabled = max_batch_size > 1;
  options.run_inline = run_inline;
  return std::make_unique<TensorLane>(options, std::make_shared<EchoBackend>(), steady_clock());
}

// One client that waits for each answer: two hand-offs, or none when it runs inline.
void round_trip(benchmark::State& state) {
  const auto served = lane(state.range(0) != 0, 1);
  const auto asked = request();
  for (auto _ : state) {
    Waiter waiter;
    waiter.submit(*served, asked);
    benchmark::DoNotOptimize(waiter.wait().ok());
  }
}
BENCHMARK(round_trip)->ArgName("inline")->Arg(0)->Arg(1)->UseRealTime()->MeasureProcessCPUTime();

// 64 requests at a time from one thread, as an io thread full of connections submits them.
void outstanding_64(benchmark::State& state) {
  const auto served = lane(state.range(0) != 0, static_cast<std::size_t>(state.range(1)));
  const auto asked = request();
  for (auto _ : state) {
    std::array<Waiter, 64> waiters;
    for (Waiter& waiter : waiters) waiter.submit(*served, asked);
    for (Waiter& waiter : waiters) benchmark::DoNotOptimize(waiter.wait().ok());
  }
  state.SetItemsProcessed(state.iterations() * 64);
}
BENCHMARK(outstanding_64)
    ->ArgNames({"inline", "max_batch_size"})
    ->Args({0, 1})
    ->Args({0, 16})
    ->Args({1, 1})
    ->UseRealTime()
    ->MeasureProcessCPUTime();

}  // namespace
}  // namespace cortex::scheduler

BENCHMARK_MAIN();
