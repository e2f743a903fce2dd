// SPDX-License-Identifier: Apache-2.0
#include <span>
#include <utility>

#include "scheduler/actions/actions.h"

namespace cortex::scheduler::actions {
namespace {

// Cells that forks share are counted as theirs as long as several are there: the tree may not have
// them, too. One that is left has them alone.
bool owns_all(SequenceState& state, LaneSequence& sequence) {
  if (!sequence.shared) return true;
  if (sequence.shared.use_count() > 1) {
    const std::span<const Token> prompt(sequence.tokens.data(), sequence.prompt);
    return state.tree.matching(sequence.generation->space, prompt) >= sequence.prompt;
  }
  const std::size_t cells = sequence.shared->cells;
  sequence.shared.reset();
  sequence.own_cells += cells;
  state.own_cells += cells;
  return true;
}

}  // namespace

void publish(SequenceState& state, LaneSequence& sequence, TimePoint now) {
  if (!state.shares_prefixes || sequence.generation->forgets) return;
  if (!sequence.inside() || sequence.computed == 0 || !owns_all(state, sequence)) return;
  const std::span<const Token> computed(sequence.tokens.data(), sequence.computed);
  auto insertion = state.tree.insert(
      sequence.generation->space, computed, sequence.id, now, std::move(sequence.pin)
  );
  apply_moves(state, insertion.moves);
  sequence.pin = std::move(insertion.pin);
  if (insertion.tokens >= sequence.prompt) sequence.shared.reset();
  // What the tree has is its own no longer.
  const std::size_t own = sequence.computed - insertion.tokens;
  state.own_cells -= sequence.own_cells - own;
  sequence.own_cells = own;
}

void publish_prompts(SequenceState& state, TimePoint now) {
  for (LaneSequence* member : state.members) {
    if (member->computed <= member->prompt) publish(state, *member, now);
  }
}

}  // namespace cortex::scheduler::actions
