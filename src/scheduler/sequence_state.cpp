// SPDX-License-Identifier: Apache-2.0
#include "scheduler/sequence_state.h"

#include <algorithm>
#include <utility>

#include "scheduler/prefix_space.h"

namespace cortex::scheduler {
namespace {

constexpr std::size_t kRunnersMax = 32;
constexpr std::size_t kHeadroom = 32;
constexpr std::size_t kQueueContexts = 16;
constexpr std::size_t kNamedShare = 2;  // of the cells
// Of an adapter; what lies in further ones is never found again once it was removed, and evicted
// in its turn.
constexpr std::size_t kSpacesMax = 1024;

bool can_share(const SequenceCoreOptions& options, const backend::SequenceModel& model) {
  return options.prefix_cache && model.can_cut && model.sequences_max > 1;
}

// A quarter of the ids run, the others hold prefixes; all run where nothing is held.
std::size_t runners(const SequenceCoreOptions& options, const backend::SequenceModel& model) {
  const std::size_t ids = std::max<std::size_t>(model.sequences_max, 1);
  const std::size_t most = can_share(options, model) ? std::max<std::size_t>(ids - 1, 1) : ids;
  const std::size_t wanted =
      options.running_max > 0
          ? options.running_max
          : std::clamp<std::size_t>(can_share(options, model) ? ids / 4 : ids, 1, kRunnersMax);
  return std::min(wanted, most);
}

// An id for copies is kept where there is a store and more than one id could hold prefixes.
bool can_store(const SequenceCoreOptions& options, const backend::SequenceModel& model) {
  return options.store && can_share(options, model) &&
         model.sequences_max > runners(options, model) + 1;
}

cache::PrefixTreeOptions tree_options(
    const SequenceCoreOptions& options, const backend::SequenceModel& model
) {
  cache::PrefixTreeOptions tree;
  const std::size_t running = runners(options, model);
  tree.holder_first = static_cast<std::int32_t>(running);
  if (can_share(options, model)) {
    const std::size_t taken = running + (can_store(options, model) ? 1 : 0);
    tree.holders = static_cast<std::int32_t>(model.sequences_max - taken);
  }
  return tree;
}

SequenceDoorOptions door_options(
    const SequenceCoreOptions& options, const backend::SequenceModel& model
) {
  SequenceDoorOptions door;
  door.model = options.identity.name;
  door.vocabulary_size = model.vocabulary_size;
  door.tokens_max = std::min(model.context_length, model.cells);
  door.sequences_max = runners(options, model);
  door.queue_requests_max = options.queue_requests_max;
  door.queue_tokens_max = options.queue_tokens_max > 0 ? options.queue_tokens_max
                                                       : kQueueContexts * model.context_length;
  door.first_token_max = options.first_token_max;
  return door;
}

}  // namespace

cache::NamedPrefixLimits named_prefix_limits(const backend::SequenceModel& model) {
  cache::NamedPrefixLimits limits;
  limits.tokens_max = model.cells / kNamedShare;
  return limits;
}

SequenceState::SequenceState(
    SequenceCoreOptions core_options, backend::SequenceBackend& engine, SequenceProbe& counters
)
    : options(std::move(core_options)),
      backend(engine),
      probe(counters),
      running_max(runners(options, engine.model())),
      capacity(engine.model().cells),
      length_max(std::min(engine.model().context_length, engine.model().cells)),
      shares_prefixes(can_share(options, engine.model())),
      speculates(options.draft_tokens_max > 0 && engine.model().can_cut),
      copy_id(static_cast<backend::SequenceId>(engine.model().sequences_max) - 1),
      store(can_store(options, engine.model()) ? options.store : nullptr),
      door(door_options(options, engine.model()), counters),
      tree(tree_options(options, engine.model())),
      named(named_prefix_limits(engine.model())),
      random(options.seed),
      policy(options.token_interval),
      recall_mail(std::make_shared<RecallMail>(options.wake)) {
  if (speculates && options.draft_backend) {
    draft_model = std::make_unique<DraftModel>(options.draft_backend, *options.clock);
  }
  for (std::size_t i = running_max; i > 0; --i) {
    free_ids.push_back(static_cast<backend::SequenceId>(i - 1));
  }
  mask.resize((engine.model().vocabulary_size + 31) / 32);
  SequenceProbe::set(probe.cells_total, capacity);
}

std::optional<cache::PrefixSpace> SequenceState::stored_space(const cache::PrefixSpace& space
) const {
  if (space.adapter.empty()) return space;
  const auto known = stored_adapters.find(space.adapter);
  if (known == stored_adapters.end()) return std::nullopt;
  cache::PrefixSpace out = space;
  out.adapter = known->second;
  return out;
}

void SequenceState::know_space(
    const cache::PrefixSpace& space, const std::shared_ptr<const NamedAdapter>& adapter, float scale
) {
  if (!adapter) return;
  auto& known = spaces[adapter->number];
  if (known.size() >= kSpacesMax || !known.insert(space).second) return;
  if (auto stored = stored_adapter(*adapter, scale)) {
    stored_adapters.emplace(space.adapter, std::move(*stored));
  }
}

void apply_moves(SequenceState& state, std::span<const cache::KvMove> moves) {
  for (const cache::KvMove& move : moves) {
    if (move.kind == cache::KvMove::Kind::kShare) {
      state.backend.share(move.from, move.to, move.begin, move.end);
    } else {
      state.backend.remove(move.from, move.begin, move.end);
    }
  }
}

void enter_memory(SequenceState& state, LaneSequence& sequence, TimePoint now) {
  CHECK(sequence.id < 0 && !state.free_ids.empty(), "a sequence enters memory once");
  sequence.id = state.free_ids.back();
  state.free_ids.pop_back();
  sequence.phase = LaneSequence::Phase::kInside;
  sequence.computed = 0;
  const Generation& generation = *sequence.generation;
  // The logits of a prompt's tokens are not in any cache.
  if (!state.shares_prefixes || generation.input().prompt_logprobs) return;
  auto match = state.tree.match(
      generation.space, sequence.tokens, sequence.tokens.size() - 1, sequence.id, now
  );
  apply_moves(state, match.moves);
  sequence.computed = match.tokens;
  sequence.pin = std::move(match.pin);
}

void leave_memory(SequenceState& state, LaneSequence& sequence) {
  if (sequence.id < 0) return;
  state.backend.remove(sequence.id, 0, -1);
  if (state.draft_model) state.draft_model->forget(sequence.id);
  state.free_ids.push_back(sequence.id);
  sequence.id = -1;
  state.own_cells -= std::exchange(sequence.own_cells, 0);
  sequence.shared.reset();
  sequence.pin.reset();
  sequence.computed = 0;
  if (sequence.phase == LaneSequence::Phase::kInside) {
    sequence.phase = LaneSequence::Phase::kOutside;
  }
}

void evict_prefixes(SequenceState& state, std::size_t cells, TimePoint now) {
  if (!state.shares_prefixes || cells == 0) return;
  const std::size_t before = state.tree.cells();
  apply_moves(state, state.tree.evict(cells, now));
  SequenceProbe::add(state.probe.evicted_cells, before - state.tree.cells());
}

std::size_t headroom_of(std::size_t tokens_to_come) { return std::min(kHeadroom, tokens_to_come); }

std::size_t headroom_of(const LaneSequence& sequence) {
  const std::size_t most = sequence.generation->input().tokens_max;
  return headroom_of(most - std::min(most, sequence.answer()));
}

std::size_t cells_available(const SequenceState& state) {
  std::size_t taken = state.cells_used() - state.tree.evictable();
  state.each_sequence([&](const LaneSequence& sequence) {
    if (sequence.inside()) taken += sequence.pending() + headroom_of(sequence);
    if (sequence.phase == LaneSequence::Phase::kFollowing) {
      taken += sequence.tokens.size() - sequence.leader_tokens + headroom_of(sequence);
    }
  });
  return state.capacity - std::min(state.capacity, taken);
}

void drop_saved(SequenceState& state, LaneSequence& sequence) {
  state.saved_bytes -= sequence.saved.size();
  std::vector<std::byte>().swap(sequence.saved);
  sequence.saved_tokens = 0;
}

}  // namespace cortex::scheduler
