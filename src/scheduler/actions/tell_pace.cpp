// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <chrono>

#include "scheduler/actions/actions.h"

namespace cortex::scheduler::actions {
namespace {

constexpr std::size_t kChunk = 64;  // tokens of a prompt whose price is asked

double seconds_of(const SequenceState& state, const StepShape& shape) {
  return std::chrono::duration<double>(state.cost.estimate(shape)).count();
}

// What an answer will have, going by those that ended and those that are being drawn.
double usual_answer(const SequenceState& state) {
  double drawn = 0;
  double sequences = 0;
  state.each_sequence([&](const LaneSequence& sequence) {
    drawn += static_cast<double>(sequence.answer());
    ++sequences;
  });
  return std::max(state.answer_tokens, sequences > 0 ? drawn / sequences : 0);
}

// For requests of the usual size.
void count_free_places(const SequenceState& state, double answer, LanePace& pace) {
  const double each =
      state.prompt_tokens + static_cast<double>(headroom_of(static_cast<std::size_t>(answer)));
  const auto fit = static_cast<std::size_t>(static_cast<double>(cells_available(state)) / each);
  const std::size_t untaken = state.running_max - state.slots;
  pace.free_places_of_new_flows = std::min(untaken, fit);
  const std::size_t most = std::min(untaken - std::min(untaken, reserved_places(state)), fit);
  while (pace.free_places < most && !stretches_too_far(state, pace.free_places + 1)) {
    ++pace.free_places;
  }
}

}  // namespace

void tell_pace(SequenceState& state) {
  if (!state.cost.known() || state.answer_tokens <= 0) return;
  LanePace pace;
  StepShape quiet;
  state.each_sequence([&](const LaneSequence& sequence) {
    if (!sequence.inside() || sequence.generation->stalled) return;
    if (!sequence.decodes()) {
      pace.unread += sequence.pending();
      return;
    }
    ++quiet.decode_rows;
    quiet.attended += attended_by(sequence.computed, 1);
  });
  const bool decodes = quiet.decode_rows > 0;
  StepShape reading = quiet;
  reading.prompt_rows = kChunk;
  reading.attended += attended_by(0, kChunk);
  const double before = decodes ? seconds_of(state, quiet) : 0;
  pace.read = (seconds_of(state, reading) - before) / static_cast<double>(kChunk);
  pace.computed_share = state.computed_share;
  if (decodes) {
    const double stretched = state.policy.share(state.cost.estimate(quiet));
    pace.read_share = 1 - 1 / stretched;
    pace.step = pace.unread > 0 ? before * stretched : before;
  }
  StepShape drawing = quiet;
  drawing.decode_rows = std::max<std::size_t>(quiet.decode_rows, 1);
  const double answer = usual_answer(state);
  pace.answer = answer * seconds_of(state, drawing) / static_cast<double>(drawing.decode_rows);
  count_free_places(state, answer, pace);
  state.door.set_pace(pace, state.slots_by_flow);
}

}  // namespace cortex::scheduler::actions
