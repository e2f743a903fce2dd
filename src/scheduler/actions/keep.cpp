// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <utility>

#include "base/large_pages.h"
#include "cache/state_pieces.h"
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
// While somebody decodes, a copy goes on by pieces that take this part of a step: nobody feels it.
constexpr double kPieceShare = 0.125;
constexpr std::size_t kPieceTokensMin = 16;
// Nothing was left to be copied: look again then.
constexpr Duration kKeepAgain = std::chrono::seconds(1);
constexpr std::size_t kCopiesAtEnd = 16;
// What the engine adds to the bytes of a piece's cells, about.
constexpr std::size_t kPieceExtraBytes = 4096;

double copy_seconds(const SequenceState& state, std::size_t tokens) {
  return static_cast<double>(tokens * state.backend.model().bytes_per_cell) / kCopyBytesPerSecond;
}

Duration copy_time(const SequenceState& state, std::size_t tokens) {
  return std::chrono::duration_cast<Duration>(
      std::chrono::duration<double>(copy_seconds(state, tokens))
  );
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

// The most that is copied between two steps.
std::size_t piece_tokens(const SequenceState& state) {
  StepShape quiet;
  state.each_sequence([&](const LaneSequence& sequence) {
    if (!sequence.inside() || !sequence.decodes()) return;
    ++quiet.decode_rows;
    quiet.attended += attended_by(sequence.computed, 1);
  });
  if (quiet.decode_rows == 0) return state.capacity;
  const double step = std::chrono::duration<double>(state.cost.estimate(quiet)).count();
  const auto tokens = static_cast<std::size_t>(kPieceShare * step / copy_seconds(state, 1));
  return std::max(tokens, kPieceTokensMin);
}

// False where the tree has nothing more that could be kept.
bool begin_copy(SequenceState& state, TimePoint now) {
  auto copy = state.tree.copy(kKeepTokensMin, now);
  if (!copy) return false;
  auto space = state.stored_space(copy->space);
  if (!space || !keeping_pays(state, *space, copy->tokens)) return true;
  PrefixCopy& begun = state.copying.emplace();
  begun.space = std::move(*space);
  begun.tokens = std::move(copy->tokens);
  begun.pin = std::move(copy->pin);
  return true;
}

std::size_t left_of(const PrefixCopy& copy) { return copy.tokens.size() - copy.copied; }

void reserve_state(SequenceState& state, std::size_t piece) {
  PrefixCopy& copy = *state.copying;
  const std::size_t pieces = copy.tokens.size() / piece + 1;
  copy.state.reserve(
      copy.tokens.size() * state.backend.model().bytes_per_cell +
      pieces * (cache::kStatePieceHeadBytes + kPieceExtraBytes)
  );
  prefer_large_pages(copy.state.data(), copy.state.capacity());
}

// The next piece; the last one hands the state to the store. A copy that fails is given up.
void copy_piece(SequenceState& state, std::size_t tokens) {
  PrefixCopy& copy = *state.copying;
  tokens = std::min(tokens, left_of(copy));
  if (copy.copied == 0) reserve_state(state, tokens);
  const std::size_t end = copy.copied + tokens;
  apply_moves(state, state.tree.part(copy.pin, copy.copied, end, state.copy_id));
  const auto saved = state.backend.save(state.copy_id);
  state.backend.remove(state.copy_id, 0, -1);
  if (!saved.ok()) return state.copying.reset();
  cache::append_piece(copy.state, {tokens, *saved});
  copy.copied = end;
  if (left_of(copy) > 0) return;
  state.store->keep(copy.space, copy.tokens, std::move(copy.state));
  SequenceProbe::add(state.probe.prefixes_saved);
  state.copying.reset();
}

// A whole prefix, or what is left of the one that is being copied; false where there is none.
bool keep_one(SequenceState& state, TimePoint now, int pause) {
  if (!state.copying && !begin_copy(state, now)) return false;
  if (!state.copying) return true;
  const std::size_t left = left_of(*state.copying);
  copy_piece(state, left);
  state.keep_after = now + pause * copy_time(state, left);
  return true;
}

}  // namespace

bool keep_prefix(SequenceState& state, TimePoint now) {
  if (!state.store || !state.options.store_outlives) return false;
  if (now < state.keep_after) return false;
  const bool busy = state.slots > 0 || !state.waiting.empty();
  if (!state.copying && !begin_copy(state, now)) {
    state.keep_after = state.running.empty() ? now : now + kKeepAgain;
    return false;
  }
  if (!state.copying) return !busy;
  const std::size_t tokens = std::min(piece_tokens(state), left_of(*state.copying));
  copy_piece(state, tokens);
  state.keep_after = now + (busy ? kBusyShare : 0) * copy_time(state, tokens);
  return !busy;
}

void finish_copy(SequenceState& state, TimePoint now) {
  if (state.copying) static_cast<void>(keep_one(state, now, kBusyShare));
}

void keep_before_eviction(SequenceState& state, TimePoint now) {
  finish_copy(state, now);
  if (!state.store || now < state.keep_after) return;
  static_cast<void>(keep_one(state, now, kBusyShare / 5));
}

void keep_all_prefixes(SequenceState& state, TimePoint now) {
  if (!state.store || !state.options.store_outlives) return;
  for (std::size_t i = 0; i < kCopiesAtEnd && keep_one(state, now, 0); ++i) {
  }
}

void give_up_copy(SequenceState& state) { state.copying.reset(); }

}  // namespace cortex::scheduler::actions
