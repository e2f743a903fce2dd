// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <utility>

#include "scheduler/actions/actions.h"

namespace cortex::scheduler::actions {
namespace {

// A state is copied out and in again; computing it again costs what the model was measured to take.
constexpr std::size_t kSaveTokensMin = 32;

bool saving_pays(const SequenceState& state, const LaneSequence& sequence) {
  const std::size_t bytes = sequence.computed * state.backend.model().bytes_per_cell;
  if (sequence.computed < kSaveTokensMin || state.cost.learnt() == 0) return false;
  if (state.saved_bytes + bytes > state.options.saved_bytes_max) return false;
  StepShape again;
  again.prompt_rows = sequence.computed;
  again.attended = attended_by(0, sequence.computed);
  const double compute = std::chrono::duration<double>(state.cost.estimate(again)).count();
  return 2 * static_cast<double>(bytes) / kCopyBytesPerSecond < compute;
}

bool keep_state(SequenceState& state, LaneSequence& sequence) {
  if (!saving_pays(state, sequence)) return false;
  Result<std::vector<std::byte>> saved = state.backend.save(sequence.id);
  if (!saved.ok() || state.saved_bytes + saved->size() > state.options.saved_bytes_max) {
    return false;
  }
  sequence.saved = std::move(*saved);
  sequence.saved_tokens = sequence.computed;
  state.saved_bytes += sequence.saved.size();
  return true;
}

void send_outside(SequenceState& state, LaneSequence& sequence) {
  const bool kept = keep_state(state, sequence);
  SequenceProbe::add(kept ? state.probe.preemptions_kept : state.probe.preemptions_recomputed);
  leave_memory(state, sequence);
}

// A slow reader's first, then the lowest level's, then whoever came last.
bool goes_before(const LaneSequence& a, const LaneSequence& b) {
  if (a.generation->stalled != b.generation->stalled) return a.generation->stalled;
  if (a.generation->level != b.generation->level) return a.generation->level > b.generation->level;
  return a.order > b.order;
}

LaneSequence* next_to_go(const SequenceState& state) {
  LaneSequence* victim = nullptr;
  std::size_t inside = 0;
  state.each_sequence([&](LaneSequence& sequence) {
    if (!sequence.inside()) return;
    ++inside;
    if (victim == nullptr || goes_before(sequence, *victim)) victim = &sequence;
  });
  return inside > 1 || (victim != nullptr && victim->generation->stalled) ? victim : nullptr;
}

std::size_t free_cells(const SequenceState& state) {
  return state.capacity - std::min(state.capacity, state.cells_used());
}

}  // namespace

bool make_room(SequenceState& state, std::size_t cells, TimePoint now) {
  for (;;) {
    if (free_cells(state) >= cells) return true;
    keep_before_eviction(state, now);
    evict_prefixes(state, cells - free_cells(state), now);
    if (free_cells(state) >= cells) return true;
    LaneSequence* victim = next_to_go(state);
    if (victim == nullptr && release_prefixes(state, now)) continue;
    if (victim == nullptr) return false;
    send_outside(state, *victim);
  }
}

void make_stalled_give_way(SequenceState& state, std::size_t cells) {
  while (cells_available(state) < cells) {
    LaneSequence* victim = next_to_go(state);
    if (victim == nullptr || !victim->generation->stalled) return;
    send_outside(state, *victim);
  }
}

void make_way_for_engine(SequenceState& state, TimePoint now) {
  SequenceProbe::add(state.probe.engine_full);
  const std::size_t before = state.cells_used();
  evict_prefixes(state, std::max<std::size_t>(state.rows.size(), state.capacity / 8), now);
  if (state.cells_used() < before || release_prefixes(state, now)) return;
  if (LaneSequence* victim = next_to_go(state)) return send_outside(state, *victim);
  for (LaneSequence* member : state.members) {
    member->generation->failure =
        Status(Code::kResourceExhausted, "the engine has no memory left for this sequence");
  }
}

}  // namespace cortex::scheduler::actions
