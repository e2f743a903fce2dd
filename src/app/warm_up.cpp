// SPDX-License-Identifier: Apache-2.0
#include "app/warm_up.h"

#include <algorithm>
#include <random>

#include "base/log.h"
#include "base/mutex.h"
#include "request/tensor.h"

namespace cortex::app {
namespace {

// Longer than any first run; a servable that never answers must not hold a loader for good.
constexpr auto kAnswerWithin = std::chrono::minutes(5);

// Random bits would be NaN or out of every table: small numbers are values for every model.
void fill_random(DataType type, std::span<std::byte> bytes, std::mt19937& random) {
  if (type == DataType::kFp32) {
    for (std::size_t i = 0; i + 4 <= bytes.size(); i += 4) {
      const float value = static_cast<float>(random() % 1000) / 1000;
      std::copy_n(
          reinterpret_cast<const std::byte*>(&value),
          4,
          bytes.begin() + static_cast<std::ptrdiff_t>(i)
      );
    }
    return;
  }
  const std::size_t size = element_size(type);
  for (std::size_t i = 0; i < bytes.size(); i += size)
    bytes[i] = static_cast<std::byte>(random() % 2);
}

Result<Tensor> sample_tensor(const TensorSpec& spec, const WarmupSample& sample, bool batched) {
  Shape shape = spec.shape;
  if (batched) shape.insert(shape.begin(), static_cast<std::int64_t>(sample.batch_size));
  if (spec.datatype == DataType::kBytes) {
    const auto count = element_count(shape);
    if (!count) return invalid_argument("input '" + spec.name + "' has no size");
    return tensor_of(spec.name, shape, std::vector<std::string>(*count));
  }
  std::span<std::byte> bytes;
  CORTEX_ASSIGN_OR_RETURN(
      Tensor tensor, make_tensor(spec.name, spec.datatype, std::move(shape), bytes)
  );
  std::ranges::fill(bytes, std::byte{0});
  std::mt19937 random(1);
  if (sample.random) fill_random(spec.datatype, bytes, random);
  return tensor;
}

Status run_sample(backend::TensorBackend& backend, const WarmupSample& sample, bool batched) {
  backend::TensorRun run;
  for (const TensorSpec& spec : sample.inputs) {
    CORTEX_ASSIGN_OR_RETURN(Tensor tensor, sample_tensor(spec, sample, batched));
    run.inputs.push_back(std::move(tensor));
  }
  for (std::size_t i = 0; i < std::max<std::size_t>(sample.count, 1); ++i) {
    std::vector<Tensor> outputs;
    CORTEX_RETURN_IF_ERROR(backend.run(run, outputs));
  }
  return {};
}

}  // namespace

Status warm_up_backend(backend::TensorBackend& backend, const ModelConfig& config) {
  for (const WarmupSample& sample : config.warmup) {
    const Status status = run_sample(backend, sample, config.max_batch_size > 0);
    if (!status.ok()) return status.with_prefix("warm-up '" + sample.name + "': ");
  }
  return {};
}

void run_once(backend::TensorBackend& backend, const ModelConfig& config) {
  WarmupSample sample;
  sample.inputs = config.inputs;
  for (TensorSpec& spec : sample.inputs) {
    for (std::int64_t& dimension : spec.shape) dimension = std::max<std::int64_t>(dimension, 1);
  }
  const Status status = run_sample(backend, sample, config.max_batch_size > 0);
  if (!status.ok()) log::debug("a run of zeros failed", {{"error", status.to_string()}});
}

namespace {

// Submits a request and waits for its end, whatever its parts say.
Status run_request(Servable& servable, const Clock& clock, decltype(Request::input) input) {
  auto request = std::make_shared<Request>();
  request->id = "warm-up";
  request->arrival = clock.now();
  request->input = std::move(input);
  auto stream = std::make_shared<ResponseStream>();
  // Shared with the producer, which may still be inside the wake function when the wait is over.
  struct Wait {
    Mutex mutex;
    Condition changed;
    bool news = false;
  };
  auto wait = std::make_shared<Wait>();
  stream->on_ready([wait] {
    MutexLock lock(wait->mutex);
    wait->news = true;
    wait->changed.notify_all();
  });
  servable.submit(std::move(request), stream);
  const TimePoint deadline = steady_clock().now() + kAnswerWithin;
  for (;;) {
    while (stream->read()) {  // without the lock: it may wake us
    }
    if (stream->finished()) return stream->status();
    MutexLock lock(wait->mutex);
    while (!wait->news) {
      if (wait->changed.wait_until(wait->mutex, deadline)) continue;
      stream->cancel();
      return deadline_exceeded("no answer");
    }
    wait->news = false;
  }
}

}  // namespace

Status warm_up_text(Servable& servable, const Clock& clock) {
  return run_request(servable, clock, RerankInput{"warm", {"up"}, true});
}

Status warm_up_generation(Servable& servable, const Clock& clock) {
  GenerationInput input;
  input.prompt = Prompt{"Warm up", {}, false};
  input.tokens_max = 2;
  input.sampling.temperature = 0;
  input.ignore_end = true;
  return run_request(servable, clock, std::move(input));
}

}  // namespace cortex::app
