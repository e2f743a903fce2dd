// SPDX-License-Identifier: Apache-2.0
#include "scheduler/tensor_lane.h"

#include <algorithm>
#include <utility>

namespace cortex::scheduler {
namespace {

std::size_t instance_count(const TensorLaneOptions& options) {
  return std::max<std::size_t>(options.instances, 1);
}

LaneCoreOptions core_options(const TensorLaneOptions& options, const TensorLayout& layout) {
  LaneCoreOptions core;
  core.model = options.identity.name;
  core.batching = options.config.batching;
  core.rows_max = layout.rows_max();
  core.queue_size_max = options.queue_size_max;
  core.instances = instance_count(options);
  core.run_inline = options.run_inline;
  return core;
}

std::size_t input_bytes(const Request& request) {
  std::size_t bytes = 0;
  for (const Tensor& tensor : std::get<InferInput>(request.input).inputs)
    bytes += tensor.bytes.size();
  return bytes;
}

void end_all(std::vector<Ending>& endings) {
  for (Ending& ending : endings) ending.stream->finish(std::move(ending.status), ending.timings);
  endings.clear();
}

}  // namespace

TensorLane::TensorLane(
    TensorLaneOptions options, std::shared_ptr<backend::TensorBackend> backend, const Clock& clock
)
    : probe_(options.probe ? options.probe : std::make_shared<LaneProbe>()),
      backend_(std::move(backend)),
      clock_(clock),
      layout_(backend_->signature(), options.config),
      delivers_in_order_(options.config.batching.preserve_ordering && options.instances > 1),
      wakes_(std::make_unique<Condition[]>(instance_count(options))),
      core_(core_options(options, layout_), *probe_) {
  const std::size_t instances = instance_count(options);
  sleeping_.reserve(instances);
  threads_.reserve(instances);
  for (std::size_t i = 0; i < instances; ++i) {
    threads_.emplace_back("lane-" + options.identity.name, [this, i] { serve(i); });
  }
}

TensorLane::~TensorLane() {
  std::vector<Ending> endings;
  {
    MutexLock lock(mutex_);
    closed_ = true;
    core_.close(endings);
  }
  for (std::size_t i = 0; i < threads_.size(); ++i) wakes_[i].notify_all();
  end_all(endings);
  threads_.clear();
}

void TensorLane::submit(
    std::shared_ptr<const Request> request, std::shared_ptr<ResponseStream> stream
) {
  const auto* input = std::get_if<InferInput>(&request->input);
  if (input == nullptr) return stream->finish(invalid_argument("this model takes tensors"));
  const Result<RequestFit> fit = layout_.fit(*input);
  if (!fit.ok()) {
    LaneProbe::add(probe_->rejected_invalid);
    return stream->finish(fit.status());
  }
  Waiting waiting;
  waiting.key = fit->key;
  waiting.rows = fit->rows;
  waiting.length = fit->length;
  waiting.alone = fit->alone;
  waiting.request = std::move(request);
  waiting.stream = std::move(stream);
  admit(waiting);
}

void TensorLane::drain() {
  MutexLock lock(mutex_);
  core_.drain();
}

void TensorLane::admit(Waiting& waiting) {
  const std::size_t bytes = input_bytes(*waiting.request);
  std::vector<Ending> endings;
  LaneCore::Admission admission;
  Batch batch;
  Condition* sleeper = nullptr;
  {
    MutexLock lock(mutex_);
    const TimePoint now = clock_.now();
    if (!core_.start_inline(waiting, bytes, now, batch)) {
      admission = core_.add(waiting, now, endings);
      if (admission.wake) sleeper = next_sleeper_locked();
    }
  }
  if (!batch.members.empty()) return run_inline(batch);
  if (sleeper != nullptr) sleeper->notify_one();
  end_all(endings);
  if (!admission.status.ok()) waiting.stream->finish(std::move(admission.status));
}

void TensorLane::run_inline(Batch& batch) {
  BatchRun run(*backend_, layout_, clock_, *probe_);
  finish_batch(1, run.run(batch));
  run.deliver(batch);
}

// The loop of one instance.
void TensorLane::serve(std::size_t instance) {
  BatchRun run(*backend_, layout_, clock_, *probe_);
  Batch batch;
  std::vector<Ending> endings;
  while (take(instance, batch, endings)) {
    end_all(endings);
    if (batch.members.empty()) continue;
    const std::size_t members = batch.members.size();
    const Duration compute = run.run(batch);
    deliver(run, batch);
    finish_batch(members, compute);
  }
  end_all(endings);
}

// Sleeps until there is a batch to run or a stream to end. False when the lane ends.
bool TensorLane::take(std::size_t instance, Batch& batch, std::vector<Ending>& endings) {
  MutexLock lock(mutex_);
  while (!closed_) {
    const LaneCore::Step step = core_.next(clock_.now(), batch, endings);
    if (step.wake_another) {
      if (Condition* sleeper = next_sleeper_locked()) sleeper->notify_one();
    }
    if (step.run || !endings.empty()) return true;
    sleeping_.push_back(instance);
    wakes_[instance].wait_until(mutex_, step.wait_until);
    std::erase(sleeping_, instance);  // still there when time woke it
  }
  return false;
}

// Whoever takes a sleeper out must notify it.
Condition* TensorLane::next_sleeper_locked() {
  if (sleeping_.empty()) return nullptr;
  Condition& sleeper = wakes_[sleeping_.back()];
  sleeping_.pop_back();
  return &sleeper;
}

// In the order of batches, where the owner asked for it: a faster instance waits for the one before
// it.
void TensorLane::deliver(BatchRun& run, Batch& batch) {
  if (!delivers_in_order_) return run.deliver(batch);
  {
    MutexLock lock(mutex_);
    while (delivered_ != batch.number) turn_.wait_until(mutex_, kNoDeadline);
  }
  run.deliver(batch);
  {
    MutexLock lock(mutex_);
    ++delivered_;
  }
  turn_.notify_all();
}

void TensorLane::finish_batch(std::size_t members, Duration compute) {
  Condition* sleeper = nullptr;
  {
    MutexLock lock(mutex_);
    if (core_.done(members, compute)) sleeper = next_sleeper_locked();
  }
  if (sleeper != nullptr) sleeper->notify_one();
}

}  // namespace cortex::scheduler
