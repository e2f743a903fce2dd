// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <utility>

#include "scheduler/actions/actions.h"

namespace cortex::scheduler::actions {
namespace {

using Phase = LaneSequence::Phase;

// Tokens that must be saved for waiting to be worth it.
constexpr std::size_t kFollowMin = 16;
// A part of the places is only for flows that have none: who asks rarely need not wait until
// somebody's long answer ends.
constexpr std::size_t kReservedShare = 8;
// Steps for which prompts are let in.
constexpr std::size_t kStepsRead = 2;

enum class Entry : std::uint8_t { kIn, kItsFlowHasEnough, kNoRoom };

std::size_t common_prefix(std::span<const Token> a, std::span<const Token> b) {
  const std::size_t most = std::min(a.size(), b.size());
  return static_cast<std::size_t>(
      std::mismatch(a.begin(), a.begin() + static_cast<std::ptrdiff_t>(most), b.begin()).first -
      a.begin()
  );
}

// Whose prompt, being read now, begins as this one does for longer than what memory holds already.
struct Leader {
  std::uint64_t order = 0;
  std::size_t tokens = 0;
};

// Tokens of its prompt that need not be computed, but for the last, whose logits are needed.
std::size_t held_by_tree(const SequenceState& state, const Generation& generation) {
  const SequenceInput& input = generation.input();
  if (!state.shares_prefixes || input.prompt_logprobs) return 0;
  return std::min(state.tree.matching(generation.space, input.prompt), input.prompt.size() - 1);
}

Leader find_leader(const SequenceState& state, const Generation& generation, std::size_t held) {
  Leader best;
  const SequenceInput& input = generation.input();
  if (!state.shares_prefixes || input.prompt_logprobs) return best;
  state.each_sequence([&](const LaneSequence& other) {
    if (other.index != 0 || (!other.inside() && other.phase != Phase::kFollowing)) return;
    const Generation& leading = *other.generation;
    if (leading.space != generation.space || leading.stream->cancelled()) return;
    const std::span<const Token> prompt(other.tokens.data(), other.prompt);
    const std::size_t common =
        std::min(common_prefix(input.prompt, prompt), input.prompt.size() - 1);
    if (common <= other.computed || common < held + kFollowMin) return;
    if (common > best.tokens) best = {other.order, common};
  });
  return best;
}

const LaneSequence* by_order(const SequenceState& state, std::uint64_t order) {
  const LaneSequence* found = nullptr;
  state.each_sequence([&](const LaneSequence& sequence) {
    if (sequence.order == order && sequence.index == 0) found = &sequence;
  });
  return found;
}

bool still_leads(const LaneSequence* leader, const LaneSequence& follower) {
  if (leader == nullptr || leader->generation->stream->cancelled()) return false;
  if (leader->phase == Phase::kFollowing) return true;
  return leader->inside() && leader->computed < follower.leader_tokens;
}

void count_cached(SequenceState& state, LaneSequence& sequence) {
  Timings& timings = sequence.generation->timings;
  timings.cached_tokens = std::min(sequence.computed, sequence.prompt);
  SequenceProbe::add(state.probe.cached_tokens, timings.cached_tokens);
  if (!state.shares_prefixes) return;
  SequenceProbe::add(state.probe.prefix_queries, sequence.prompt);
  SequenceProbe::add(state.probe.prefix_hits, timings.cached_tokens);
}

void start_followers(SequenceState& state, TimePoint now) {
  state.each_sequence([&](LaneSequence& sequence) {
    if (sequence.phase != Phase::kFollowing) return;
    if (still_leads(by_order(state, sequence.leader), sequence)) return;
    enter_memory(state, sequence, now);
    count_cached(state, sequence);
  });
}

std::unique_ptr<LaneSequence> first_sequence(SequenceState& state, Generation& generation) {
  const SequenceInput& input = generation.input();
  auto sequence = std::make_unique<LaneSequence>();
  sequence->generation = &generation;
  sequence->order = ++state.orders;
  sequence->tokens = input.prompt;
  sequence->prompt = input.prompt.size();
  sequence->sampler = state.backend.make_sampler(input.sampling, generation.seed);
  for (const Token token : input.prompt) sequence->sampler->accept(token);
  if (input.constraint) sequence->constraint = input.constraint->fork();
  return sequence;
}

bool nobody_inside(const SequenceState& state) {
  bool nobody = true;
  state.each_sequence([&](const LaneSequence& sequence) {
    nobody = nobody && !sequence.inside() && sequence.phase != Phase::kFollowing;
  });
  return nobody;
}

// Frees what a copy and stalled sequences have where that is what is missing.
bool has_room(SequenceState& state, std::size_t cells, TimePoint now) {
  if (cells_available(state) < cells) finish_copy(state, now);
  if (cells_available(state) < cells) make_stalled_give_way(state, cells);
  return cells_available(state) >= cells;
}

// Prompts that would be read before this one's many tokens fill the next steps: it is better off in
// the queue, where it is still to be decided who is next.
bool reads_enough(const SequenceState& state, const Generation& generation, std::size_t tokens) {
  const ReadingTurn turn = reading_turn(state, generation, tokens);
  const InheritedTurns inherited = inherited_turns(state);
  std::size_t unread = 0;
  bool decodes = false;
  state.each_sequence([&](const LaneSequence& sequence) {
    if (!sequence.inside() || sequence.generation->stalled) return;
    decodes = decodes || sequence.decodes();
    if (sequence.decodes()) return;
    if (reading_turn(state, inherited, sequence) <= turn) unread += sequence.pending();
  });
  const std::size_t step = decodes ? state.last_prompt_rows : state.backend.model().step_rows_max;
  return unread > 0 && unread >= kStepsRead * step;
}

// With a state that the store had, where that spares more than what lies in memory or is being
// read.
bool start_recalled(
    SequenceState& state, LaneSequence& sequence, std::size_t known, bool alone, TimePoint now
) {
  const Generation& generation = *sequence.generation;
  const auto recalled = recalled_beyond(state, generation, known);
  if (!recalled) return false;
  const SequenceInput& input = generation.input();
  const std::size_t headroom = headroom_of(input.tokens_max) * input.sequences;
  const std::size_t cells = std::max(recalled->cells, input.prompt.size()) + headroom;
  if (!alone && cells_available(state) < cells) return false;
  if (!make_room(state, recalled->cells, now)) return false;
  if (!enter_recalled(state, sequence, *recalled, now)) return false;
  // A part of count_cached()'s hits.
  SequenceProbe::Counter& hits =
      recalled->from_disk ? state.probe.hits_disk : state.probe.hits_memory;
  SequenceProbe::add(hits, recalled->tokens);
  return true;
}

// Lets the first sequence of a request in, or leaves everything as it was. What does not fit is
// noticed before anything is made for it: whoever is first may be tried at every step.
Entry start(SequenceState& state, Generation& generation, TimePoint now) {
  const SequenceInput& input = generation.input();
  const bool alone = nobody_inside(state);
  const std::size_t headroom = headroom_of(input.tokens_max) * input.sequences;
  const std::size_t held = held_by_tree(state, generation);
  const Leader leader = find_leader(state, generation, held);
  const bool has_some = state.slots_by_flow.contains(generation.flow);
  if (has_some && leader.order == 0 &&
      reads_enough(state, generation, input.prompt.size() - held)) {
    return Entry::kItsFlowHasEnough;
  }
  const std::size_t known = leader.order != 0 ? leader.tokens : held;
  if (!alone && !has_room(state, input.prompt.size() - known + headroom, now))
    return Entry::kNoRoom;
  auto sequence = first_sequence(state, generation);
  if (start_recalled(state, *sequence, known, alone, now)) {
    count_cached(state, *sequence);
    generation.sequences.push_back(std::move(sequence));
    return Entry::kIn;
  }
  if (leader.order != 0) {
    sequence->phase = Phase::kFollowing;
    sequence->leader = leader.order;
    sequence->leader_tokens = leader.tokens;
    SequenceProbe::add(state.probe.prefix_waits);
    generation.sequences.push_back(std::move(sequence));
    return Entry::kIn;
  }
  enter_memory(state, *sequence, now);
  // What it holds of the tree cannot be evicted for it any more.
  if (!alone && cells_available(state) < sequence->pending() + headroom) {
    leave_memory(state, *sequence);
    return Entry::kNoRoom;
  }
  count_cached(state, *sequence);
  generation.sequences.push_back(std::move(sequence));
  return Entry::kIn;
}

Entry enter(SequenceState& state, Generation& generation, TimePoint now) {
  const std::size_t wanted = generation.input().sequences;
  if (state.slots + wanted > state.running_max) return Entry::kNoRoom;
  const auto flow = state.slots_by_flow.find(generation.flow);
  const bool has_some = flow != state.slots_by_flow.end();
  if (has_some && state.slots + wanted + reserved_places(state) > state.running_max) {
    return Entry::kItsFlowHasEnough;
  }
  if (has_some && stretches_too_far(state, wanted)) return Entry::kItsFlowHasEnough;
  return start(state, generation, now);
}

void count_in(SequenceState& state, std::uint64_t ticket, TimePoint now) {
  const auto place = state.waiting.find(ticket);
  std::unique_ptr<Generation> generation = std::move(place->second);
  state.waiting.erase(place);
  state.queue.take(ticket);
  state.door.leave(*generation->request);
  drop_recalled(state, *generation);
  const std::size_t prompt = generation->input().prompt.size();
  const std::size_t wanted = generation->input().sequences;
  const std::size_t computed = prompt - generation->timings.cached_tokens;
  state.queue.charge(generation->flow, static_cast<double>(computed));
  state.slots += wanted;
  state.slots_by_flow[generation->flow] += wanted;
  generation->admitted = now;
  generation->timings.queue = now - generation->enqueued;
  generation->timings.input_tokens = prompt;
  state.probe.queue.add(generation->timings.queue);
  state.probe.request_prompt_tokens.add(static_cast<double>(prompt));
  const auto tokens = static_cast<double>(prompt);
  state.prompt_tokens += (tokens - state.prompt_tokens) / kRequestsRemembered;
  const double share = static_cast<double>(computed) / tokens;
  state.computed_share += (share - state.computed_share) / kRequestsRemembered;
  SequenceProbe::add(state.probe.prompt_tokens, prompt);
  state.running.push_back(std::move(generation));
}

// Those outside go before whoever waits in their level or behind it.
bool outside_goes_first(const SequenceState& state, std::size_t level) {
  bool first = false;
  state.each_sequence([&](const LaneSequence& sequence) {
    const Generation& generation = *sequence.generation;
    first = first ||
            (sequence.phase == Phase::kOutside && !generation.stalled && generation.level <= level);
  });
  return first;
}

bool goes_on(const SequenceState& state, const std::string& flow) {
  bool does = false;
  state.each_sequence([&](const LaneSequence& sequence) {
    const Generation& generation = *sequence.generation;
    does = does || (generation.flow == flow && !generation.stalled);
  });
  return does;
}

// What its flow will have been given, by weight, with its prompt.
double given_with(const SequenceState& state, const Generation& generation) {
  const auto prompt = static_cast<double>(generation.input().prompt.size());
  return state.queue.given(generation.flow) + prompt / generation.request->principal.weight;
}

// True when somebody came in. Whose flow has enough for now lets others of its level pass, but for
// those who were given more already: a place that is kept for who has none is not for who is ahead.
bool admit_one(SequenceState& state, TimePoint now) {
  const Generation* passed = nullptr;
  for (const std::uint64_t ticket : state.queue.heads()) {
    Generation& generation = *state.waiting.at(ticket);
    if (outside_goes_first(state, generation.level)) return false;
    const bool is_ahead = passed != nullptr && passed->level == generation.level &&
                          state.queue.given(generation.flow) > given_with(state, *passed);
    if (is_ahead) return false;
    const Entry entry = enter(state, generation, now);
    if (entry == Entry::kNoRoom) return false;
    if (entry == Entry::kIn) {
      count_in(state, ticket, now);
      return true;
    }
    if (goes_on(state, generation.flow)) passed = &generation;
  }
  return false;
}

}  // namespace

std::size_t reserved_places(const SequenceState& state) {
  return state.running_max >= 4 ? std::max<std::size_t>(state.running_max / kReservedShare, 1) : 0;
}

bool stretches_too_far(const SequenceState& state, std::size_t further) {
  if (state.options.stretch_max <= 0 || !state.cost.known()) return false;
  StepShape one;
  one.decode_rows = 1;
  StepShape all;
  all.decode_rows = state.slots + further;
  return std::chrono::duration<double>(state.cost.estimate(all)) >
         state.options.stretch_max * std::chrono::duration<double>(state.cost.estimate(one));
}

void enqueue(SequenceState& state, const Generation& generation) {
  FairEntry entry;
  entry.ticket = generation.ticket;
  entry.flow = generation.flow;
  entry.level = generation.level;
  entry.niceness = generation.request->niceness;
  entry.deadline = generation.request->deadline;
  entry.weight = generation.request->principal.weight;
  state.queue.push(std::move(entry));
}

void admit(SequenceState& state, TimePoint now) {
  start_followers(state, now);
  while (admit_one(state, now)) {
  }
}

}  // namespace cortex::scheduler::actions
