// SPDX-License-Identifier: Apache-2.0
#include "scheduler/batch_run.h"

#include <new>
#include <utility>

#include "scheduler/padding.h"

namespace cortex::scheduler {
namespace {

Status no_memory(const Batch& batch) {
  return resource_exhausted(
      "not enough memory to run a batch of " + std::to_string(batch.rows) + " rows"
  );
}

std::uint64_t padded_elements(const Batch& batch) {
  std::uint64_t real = 0;
  for (const Waiting& member : batch.members) real += std::uint64_t{member.rows} * member.length;
  return batch.rows * batch.length - real;
}

}  // namespace

BatchRun::BatchRun(
    backend::TensorBackend& backend,
    const TensorLayout& layout,
    const Clock& clock,
    LaneProbe& probe
)
    : backend_(backend), layout_(layout), clock_(clock), probe_(probe) {}

Duration BatchRun::run(const Batch& batch) {
  timings_ = {};
  timings_.batch_size = static_cast<std::uint32_t>(batch.rows);
  mark_ = batch.closed;
  answers_.resize(batch.members.size());
  const Status status = run_together(batch);
  statuses_.assign(batch.members.size(), status);
  if (status.code() == Code::kInvalidArgument && batch.members.size() > 1) run_one_by_one(batch);
  release_inputs();
  LaneProbe::add(probe_.compute_input_ns, timings_.compute_input);
  LaneProbe::add(probe_.compute_ns, timings_.compute);
  LaneProbe::add(probe_.compute_output_ns, timings_.compute_output);
  return timings_.compute;
}

Status BatchRun::run_together(const Batch& batch) {
  try {
    if (batch.members.size() == 1) return run_alone(batch.members.front(), answers_.front());
    return run_several(batch);
  } catch (const std::bad_alloc&) {
    return no_memory(batch);
  }
}

Status BatchRun::run_alone(const Waiting& member, std::vector<Tensor>& answer) {
  const InferInput& input = input_of(member);
  run_.inputs = input.inputs;
  run_.outputs = input.outputs;
  return compute(member.rows, answer, layout_.output_count(input));
}

Status BatchRun::run_several(const Batch& batch) {
  const InferInput& first = input_of(batch.members.front());
  CORTEX_RETURN_IF_ERROR(gather(layout_, batch, run_.inputs));
  run_.outputs = first.outputs;
  LaneProbe::add(probe_.padded_elements, padded_elements(batch));
  std::vector<Tensor> outputs;
  CORTEX_RETURN_IF_ERROR(compute(batch.rows, outputs, layout_.output_count(first)));
  scatter(layout_, batch, outputs, answers_);
  timings_.compute_output += clock_.now() - mark_;
  return {};
}

// Sums up, since members that run one by one pass here several times.
Status BatchRun::compute(std::size_t rows, std::vector<Tensor>& outputs, std::size_t wanted) {
  const TimePoint began = clock_.now();
  timings_.compute_input += began - mark_;
  outputs.clear();
  Status status = backend_.run(run_, outputs);
  mark_ = clock_.now();
  timings_.compute += mark_ - began;
  probe_.add_batch(rows);
  CORTEX_RETURN_IF_ERROR(status);
  if (outputs.size() != wanted) {
    return internal(
        "the engine gave " + std::to_string(outputs.size()) + " outputs of " +
        std::to_string(wanted)
    );
  }
  return check_outputs(layout_, rows, outputs);
}

void BatchRun::run_one_by_one(const Batch& batch) {
  for (std::size_t i = 0; i < batch.members.size(); ++i) {
    Batch alone;
    alone.rows = batch.members[i].rows;
    try {
      statuses_[i] = run_alone(batch.members[i], answers_[i]);
    } catch (const std::bad_alloc&) {
      statuses_[i] = no_memory(alone);
    }
  }
}

// Shapes and names keep their memory for the next batch; the bytes belong to somebody else.
void BatchRun::release_inputs() {
  for (Tensor& tensor : run_.inputs) {
    tensor.bytes = {};
    tensor.owner.reset();
  }
}

void BatchRun::deliver(Batch& batch) {
  for (std::size_t i = 0; i < batch.members.size(); ++i) {
    Waiting& member = batch.members[i];
    Timings timings = timings_;
    timings.queue = batch.closed - member.enqueued;
    LaneProbe::add(statuses_[i].ok() ? probe_.answered : probe_.failed);
    if (statuses_[i].ok()) {
      member.stream->finish(InferOutput{std::move(answers_[i]), {}}, timings);
    } else {
      member.stream->finish(std::move(statuses_[i]), timings);
    }
  }
  batch = Batch{std::move(batch.members), 0, 0, {}, 0};
  batch.members.clear();
}

}  // namespace cortex::scheduler
