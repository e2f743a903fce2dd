// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "scheduler/actions/actions.h"

namespace cortex::scheduler::actions {
namespace {

using Phase = LaneSequence::Phase;

bool anybody_inside(const SequenceState& state) {
  bool any = false;
  state.each_sequence([&](const LaneSequence& sequence) { any = any || sequence.inside(); });
  return any;
}

std::vector<LaneSequence*> those_outside(const SequenceState& state) {
  std::vector<LaneSequence*> outside;
  state.each_sequence([&](LaneSequence& sequence) {
    if (sequence.phase == Phase::kOutside && !sequence.generation->stalled) {
      outside.push_back(&sequence);
    }
  });
  std::stable_sort(outside.begin(), outside.end(), [](const auto* a, const auto* b) {
    if (a->generation->level != b->generation->level) {
      return a->generation->level < b->generation->level;
    }
    return a->order < b->order;
  });
  return outside;
}

// Its state as it was, else nothing of it.
bool put_back(SequenceState& state, LaneSequence& sequence) {
  sequence.id = state.free_ids.back();
  const Status status = state.backend.restore(sequence.id, sequence.saved);
  const std::size_t tokens = sequence.saved_tokens;
  drop_saved(state, sequence);
  if (!status.ok()) {
    sequence.id = -1;
    return false;
  }
  state.free_ids.pop_back();
  sequence.phase = Phase::kInside;
  sequence.computed = tokens;
  sequence.own_cells = tokens;
  state.own_cells += tokens;
  return true;
}

bool come_back(SequenceState& state, LaneSequence& sequence, TimePoint now) {
  if (state.free_ids.empty()) return false;
  const bool alone = !anybody_inside(state);
  const std::size_t most = sequence.tokens.size() + headroom_of(sequence);
  if (cells_available(state) < most) finish_copy(state, now);
  if (cells_available(state) < most) make_stalled_give_way(state, most);
  if (!sequence.saved.empty()) {
    if (!alone && cells_available(state) < most) return false;
    // What is restored has cells at once.
    if (!make_room(state, sequence.saved_tokens, now)) return false;
    if (put_back(state, sequence)) return true;
  }
  enter_memory(state, sequence, now);
  if (alone || cells_available(state) >= sequence.pending() + headroom_of(sequence)) return true;
  leave_memory(state, sequence);
  return false;
}

}  // namespace

void restore(SequenceState& state, TimePoint now) {
  for (LaneSequence* sequence : those_outside(state)) {
    if (!come_back(state, *sequence, now)) return;
  }
}

}  // namespace cortex::scheduler::actions
