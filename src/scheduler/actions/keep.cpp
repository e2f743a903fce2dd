// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <utility>

#include "scheduler/actions/actions.h"

namespace cortex::scheduler::actions {
namespace {

// Shorter prefixes are computed as fast.
constexpr std::size_t kKeepTokensMin = 32;
// A state is copied out, written, read and copied in again.
constexpr double kCopies = 4;
// What is stored of a prefix already serves for it where less than this part is missing.
constexpr std::size_t kGainShare = 8;
// Part of the lane's time that copies may take while somebody is inside.
constexpr int kBusyShare = 50;
// Nothing was left to be copied: look again then.
constexpr Duration kKeepAgain = std::chrono::seconds(1);
constexpr std::size_t kCopiesAtEnd = 16;

double copy_seconds(const SequenceState& state, std::size_t tokens) {
  return static_cast<double>(tokens * state.backend.model().bytes_per_cell) / kCopyBytesPerSecond;
}

bool keeping_pays(
    const SequenceState& state, const cache::PrefixSpace& space, std::span<const Token> tokens
) {
  const auto found = state.store->find(space, tokens);
  const std::size_t stored = found ? found->tokens : 0;
  const std::size_t gain = tokens.size() - stored;
  if (gain < std::max(kKeepTokensMin, tokens.size() / kGainShare)) return false;
  StepShape shape;
  shape.prompt_rows = gain;
  shape.attended = attended_by(stored, gain);
  const double compute = std::chrono::duration<double>(state.cost.estimate(shape)).count();
  return kCopies * copy_seconds(state, tokens.size()) < compute;
}

// False where the tree has nothing more that could be kept.
bool keep_one(SequenceState& state, TimePoint now, int pause) {
  const backend::SequenceId id = state.free_ids.back();
  const auto copy = state.tree.copy(id, kKeepTokensMin, now);
  if (!copy) return false;
  apply_moves(state, copy->moves);
  const auto space = state.stored_space(copy->space);
  if (space && keeping_pays(state, *space, copy->tokens)) {
    auto saved = state.backend.save(id);
    if (saved.ok()) {
      state.store->keep(*space, copy->tokens, std::move(*saved));
      SequenceProbe::add(state.probe.prefixes_saved);
    }
    const Duration took = std::chrono::duration_cast<Duration>(
        std::chrono::duration<double>(copy_seconds(state, copy->tokens.size()))
    );
    state.keep_after = now + pause * took;
  }
  state.backend.remove(id, 0, -1);
  return true;
}

}  // namespace

bool keep_prefix(SequenceState& state, TimePoint now) {
  if (!state.store || !state.options.store_outlives) return false;
  if (now < state.keep_after || state.free_ids.empty()) return false;
  const bool busy = state.slots > 0 || !state.waiting.empty();
  if (keep_one(state, now, busy ? kBusyShare : 0)) return !busy;
  state.keep_after = state.running.empty() ? now : now + kKeepAgain;
  return false;
}

void keep_before_eviction(SequenceState& state, TimePoint now) {
  if (!state.store || now < state.keep_after || state.free_ids.empty()) return;
  static_cast<void>(keep_one(state, now, kBusyShare / 5));
}

void keep_all_prefixes(SequenceState& state, TimePoint now) {
  if (!state.store || !state.options.store_outlives || state.free_ids.empty()) return;
  for (std::size_t i = 0; i < kCopiesAtEnd && keep_one(state, now, 0); ++i) {
  }
}

}  // namespace cortex::scheduler::actions
