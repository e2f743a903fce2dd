// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <utility>

#include "scheduler/actions/actions.h"

namespace cortex::scheduler::actions {
namespace {

void count_step(SequenceState& state, Duration took) {
  state.cost.learn(state.shape, took);
  if (state.shape.prompt_rows > 0) state.last_prompt_rows = state.shape.prompt_rows;
  state.probe.step.add(took);
  state.probe.step_rows.add(static_cast<double>(state.rows.size()));
  SequenceProbe::add(state.probe.computed_tokens, state.shape.prompt_rows);
}

void store(SequenceState& state, LaneSequence& sequence, Duration took) {
  Generation& generation = *sequence.generation;
  // Of a draft counts what comes true.
  const std::size_t rows = sequence.step_rows - sequence.step_drafts;
  if (sequence.step_drafts > 0) {
    SequenceProbe::add(state.probe.drafts);
    SequenceProbe::add(state.probe.draft_tokens, sequence.step_drafts);
    if (sequence.draft->by_model) {
      SequenceProbe::add(state.probe.model_draft_tokens, sequence.step_drafts);
    }
  }
  sequence.computed += rows;
  sequence.own_cells += rows;
  state.own_cells += rows;
  sequence.last_step = state.steps;
  generation.timings.batch_size =
      std::max(generation.timings.batch_size, static_cast<std::uint32_t>(state.members.size()));
  if (std::exchange(generation.last_step, state.steps) != state.steps) {
    generation.timings.compute += took;
  }
}

// What the engine may have stored of a step that did not end is not there for us.
void undo(SequenceState& state, LaneSequence& sequence) {
  if (state.backend.model().can_cut) {
    state.backend.remove(sequence.id, static_cast<std::int32_t>(sequence.computed), -1);
  } else {
    leave_memory(state, sequence);
  }
}

}  // namespace

bool settle(SequenceState& state, const Status& status, Duration took, TimePoint now) {
  ++state.steps;
  SequenceProbe::add(state.probe.steps);
  if (status.ok()) {
    count_step(state, took);
    for (LaneSequence* member : state.members) store(state, *member, took);
    return true;
  }
  if (status.code() == Code::kResourceExhausted) {
    make_way_for_engine(state, now);
    return false;
  }
  for (LaneSequence* member : state.members) undo(state, *member);
  if (status.code() == Code::kCancelled) {
    SequenceProbe::add(state.probe.step_aborts);
    return false;
  }
  SequenceProbe::add(state.probe.step_failures);
  for (LaneSequence* member : state.members) member->generation->failure = status;
  return false;
}

}  // namespace cortex::scheduler::actions
