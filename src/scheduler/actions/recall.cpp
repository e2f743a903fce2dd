// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <utility>

#include "cache/state_pieces.h"
#include "scheduler/actions/actions.h"

namespace cortex::scheduler::actions {
namespace {

// A request waits no longer for the disk; then it is computed.
constexpr Duration kRecallMax = std::chrono::seconds(2);
// What a state must save over what memory holds to be fetched.
constexpr std::size_t kRecallTokensMin = 16;
// Bytes are read from a file at about this rate: a slow guess.
constexpr double kReadBytesPerSecond = 2.5e8;

using Found = cache::PrefixStore::Found;

bool recalls(const SequenceState& state, const Generation& generation) {
  return state.store != nullptr && !generation.forgets && !generation.input().prompt_logprobs;
}

std::optional<Found> find(const SequenceState& state, const Generation& generation) {
  const auto space = state.stored_space(generation.space);
  if (!space) return std::nullopt;
  return state.store->find(*space, generation.input().prompt);
}

// The last token of a prompt is computed for its logits.
std::size_t tokens_of(const Found& found, const Generation& generation) {
  return std::min(found.tokens, generation.input().prompt.size() - 1);
}

bool recall_pays(
    const SequenceState& state, const Found& found, std::size_t tokens, std::size_t known
) {
  if (tokens < known + kRecallTokensMin) return false;
  StepShape shape;
  shape.prompt_rows = tokens - known;
  shape.attended = attended_by(known, tokens - known);
  const double compute = std::chrono::duration<double>(state.cost.estimate(shape)).count();
  const auto bytes = static_cast<double>(found.bytes);
  const double read = found.in_memory ? 0 : bytes / kReadBytesPerSecond;
  return read + bytes / kCopyBytesPerSecond < compute;
}

void lose_state(SequenceState& state, Generation& generation) {
  generation.recalled.reset();
  state.recalled_bytes -= std::exchange(generation.recalled_bytes, 0);
}

// The state has not come: it is computed.
void fail_recall(SequenceState& state, Generation& generation) {
  SequenceProbe::add(state.probe.restores_failed);
  lose_state(state, generation);
}

void end_recall(SequenceState& state, Generation& generation) {
  generation.recalls_until.reset();
  --state.recalling;
  if (&generation != state.named_next.get()) enqueue(state, generation);
}

// Null where it has left, or waits no more.
Generation* who_recalls(const SequenceState& state, std::uint64_t ticket) {
  Generation* found = nullptr;
  if (state.named_next && state.named_next->ticket == ticket) {
    found = state.named_next.get();
  } else if (const auto place = state.waiting.find(ticket); place != state.waiting.end()) {
    found = place->second.get();
  }
  return found != nullptr && found->recalls_until ? found : nullptr;
}

void give_up_late(SequenceState& state, Generation& generation, TimePoint now) {
  if (!generation.recalls_until || *generation.recalls_until > now) return;
  fail_recall(state, generation);
  end_recall(state, generation);
}

// As the backend's, of all pieces that these tokens lie in. REQUIRES: so many cells are free.
Status restore_pieces(SequenceState& state, backend::SequenceId id, const RecalledState& recalled) {
  CORTEX_ASSIGN_OR_RETURN(const auto pieces, cache::pieces_of(*recalled.bytes));
  std::size_t begin = 0;
  for (const cache::StatePiece& piece : pieces) {
    if (begin >= recalled.tokens) break;
    const std::size_t end = begin + std::min(piece.tokens, recalled.cells - begin);
    Status status = state.backend.restore(state.copy_id, piece.saved);
    if (!status.ok()) {
      state.backend.remove(id, 0, -1);
      return status;
    }
    state.backend.share(
        state.copy_id, id, static_cast<std::int32_t>(begin), static_cast<std::int32_t>(end)
    );
    state.backend.remove(state.copy_id, 0, -1);
    begin = end;
  }
  if (begin >= recalled.tokens) return {};
  state.backend.remove(id, 0, -1);
  return invalid_argument("the state is of fewer tokens than it says");
}

}  // namespace

bool recall(SequenceState& state, Generation& generation, TimePoint now) {
  if (!recalls(state, generation)) return false;
  const auto found = find(state, generation);
  if (!found || found->in_memory || !found->on_disk) return false;
  const std::size_t tokens = tokens_of(*found, generation);
  const std::size_t known = state.tree.matching(generation.space, generation.input().prompt);
  if (!recall_pays(state, *found, tokens, known)) return false;
  // One alone may be larger than the bound: it was kept, and nothing else could ever use it.
  const bool fits = state.recalled_bytes + found->bytes <= state.options.saved_bytes_max;
  if (state.recalled_bytes > 0 && !fits) return false;
  generation.recalled_bytes = found->bytes;
  state.recalled_bytes += found->bytes;
  generation.recalled = RecalledState{nullptr, tokens, found->cells, true};
  generation.recalls_until = now + kRecallMax;
  ++state.recalling;
  const std::uint64_t ticket = generation.ticket;
  state.store->load(*found, [mail = state.recall_mail, ticket](auto loaded) {
    mail->leave(ticket, std::move(loaded));
  });
  return true;
}

void take_recalled(SequenceState& state, TimePoint now) {
  for (RecallMail::Letter& letter : state.recall_mail->take()) {
    Generation* const generation = who_recalls(state, letter.ticket);
    if (generation == nullptr) continue;
    if (letter.state.ok()) {
      generation->recalled->bytes = std::move(*letter.state);
    } else {
      fail_recall(state, *generation);
    }
    end_recall(state, *generation);
  }
  if (state.recalling == 0) return;
  for (const auto& [ticket, generation] : state.waiting) give_up_late(state, *generation, now);
  if (state.named_next) give_up_late(state, *state.named_next, now);
}

void drop_recalled(SequenceState& state, Generation& generation) {
  lose_state(state, generation);
  if (generation.recalls_until) --state.recalling;
  generation.recalls_until.reset();
}

std::optional<RecalledState> recalled_beyond(
    SequenceState& state, const Generation& generation, std::size_t known
) {
  if (!recalls(state, generation)) return std::nullopt;
  if (generation.recalled && generation.recalled->bytes) {
    if (generation.recalled->tokens >= known + kRecallTokensMin) return generation.recalled;
    return std::nullopt;
  }
  const auto found = find(state, generation);
  if (!found || !found->in_memory) return std::nullopt;
  const std::size_t tokens = tokens_of(*found, generation);
  if (!recall_pays(state, *found, tokens, known)) return std::nullopt;
  auto bytes = state.store->state_in_memory(*found);
  if (!bytes) return std::nullopt;
  return RecalledState{std::move(bytes), tokens, found->cells, false};
}

bool enter_recalled(
    SequenceState& state, LaneSequence& sequence, const RecalledState& recalled, TimePoint now
) {
  CHECK(sequence.id < 0 && !state.free_ids.empty(), "a sequence enters memory once");
  const backend::SequenceId id = state.free_ids.back();
  if (!restore_pieces(state, id, recalled).ok()) {
    SequenceProbe::add(state.probe.restores_failed);
    return false;
  }
  if (recalled.cells > recalled.tokens) {
    state.backend.remove(id, static_cast<std::int32_t>(recalled.tokens), -1);
  }
  state.free_ids.pop_back();
  sequence.id = id;
  sequence.phase = LaneSequence::Phase::kInside;
  sequence.computed = recalled.tokens;
  sequence.own_cells = recalled.tokens;
  state.own_cells += recalled.tokens;
  SequenceProbe::add(state.probe.restored_tokens, recalled.tokens);
  publish(state, sequence, now);
  return true;
}

}  // namespace cortex::scheduler::actions
