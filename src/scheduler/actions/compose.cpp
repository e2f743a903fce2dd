// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <set>
#include <utility>

#include "scheduler/actions/actions.h"

namespace cortex::scheduler::actions {
namespace {

using Group = SequenceState::Group;

// A change of adapter may cost a sixteenth of the time that the adapter then has.
constexpr int kSwitchesPerSlice = 16;
constexpr Duration kSliceMax = std::chrono::milliseconds(250);
// Every so many steps the prompt of its level that came first is read first, however short the
// others are; and more rarely of all levels, as the queue does it.
constexpr std::uint64_t kOldestEvery = 4;
constexpr std::uint64_t kOldestOfAllEvery = FairQueue::kPassedOverMax;
// Logits of prompts take a row of the vocabulary each.
constexpr std::size_t kLogprobRowsMax = 32;

Group group_of(const LaneSequence& sequence) {
  const Generation& generation = *sequence.generation;
  return {generation.adapter.get(), generation.adapter ? generation.input().adapter_scale : 1.0F};
}

std::vector<LaneSequence*> runnable(const SequenceState& state) {
  std::vector<LaneSequence*> found;
  state.each_sequence([&](LaneSequence& sequence) {
    if (sequence.inside() && !sequence.generation->stalled) found.push_back(&sequence);
  });
  return found;
}

// Whose turn it is: the group that runs keeps it for a slice, then whichever waited longest has it.
Group choose_group(
    SequenceState& state, const std::vector<LaneSequence*>& sequences, TimePoint now
) {
  std::set<Group> groups;
  for (const LaneSequence* sequence : sequences) groups.insert(group_of(*sequence));
  std::erase_if(state.turns, [&](const auto& turn) { return !groups.contains(turn.first); });
  const Duration slice = std::min(kSwitchesPerSlice * state.cost.of_switch(), kSliceMax);
  const bool has_slice = state.steps > 0 && now - state.slice_began < slice;
  if (groups.contains(state.group) && (groups.size() == 1 || has_slice)) return state.group;
  return *std::min_element(groups.begin(), groups.end(), [&](const Group& a, const Group& b) {
    const auto turn = [&](const Group& group) {
      const auto found = state.turns.find(group);
      return found == state.turns.end() ? 0 : found->second;
    };
    return turn(a) < turn(b);
  });
}

// What the policy chooses from, and whose it is.
struct Candidates {
  std::vector<LaneSequence*> decoding;
  std::vector<LaneSequence*> reading;
  std::vector<StepDecoder> decoders;
  std::vector<StepReader> readers;
  std::vector<const std::string*> flows;
  std::vector<double> weights;  // theirs
};

void sort_readers(const SequenceState& state, std::vector<LaneSequence*>& reading) {
  const bool oldest_first = state.steps % kOldestEvery == 0;
  const bool of_all = state.steps % kOldestOfAllEvery == 0;
  const InheritedTurns inherited = inherited_turns(state);
  const auto turn_of = [&](const LaneSequence* sequence) {
    ReadingTurn turn = reading_turn(state, inherited, *sequence);
    if (oldest_first) turn = {.level = turn.level, .pending = sequence->order};
    if (of_all) turn.level = 0;
    return turn;
  };
  std::ranges::stable_sort(reading, {}, turn_of);
}

std::size_t flow_number(Candidates& candidates, const Generation& generation) {
  for (std::size_t i = 0; i < candidates.flows.size(); ++i) {
    if (*candidates.flows[i] == generation.flow) return i;
  }
  candidates.flows.push_back(&generation.flow);
  candidates.weights.push_back(generation.request->principal.weight);
  return candidates.flows.size() - 1;
}

std::span<const double> chances_of(const LaneSequence& sequence) {
  if (!sequence.draft) return {};
  return sequence.draft->chances;
}

Candidates candidates_of(
    SequenceState& state, const std::vector<LaneSequence*>& sequences, const Group& group
) {
  Candidates out;
  for (LaneSequence* sequence : sequences) {
    if (group_of(*sequence) != group) continue;
    (sequence->decodes() ? out.decoding : out.reading).push_back(sequence);
  }
  std::stable_sort(out.decoding.begin(), out.decoding.end(), [](const auto* a, const auto* b) {
    return a->last_step < b->last_step;
  });
  sort_readers(state, out.reading);
  if (state.speculates) {
    for (LaneSequence* sequence : out.decoding) foretell(state, *sequence);
    foretell_with_model(state, out.decoding);
  }
  for (LaneSequence* sequence : out.decoding) {
    out.decoders.push_back(
        {sequence->computed, flow_number(out, *sequence->generation), chances_of(*sequence)}
    );
  }
  for (const LaneSequence* sequence : out.reading) {
    const bool logprobs = sequence->generation->input().prompt_logprobs;
    out.readers.push_back(
        {sequence->computed,
         sequence->pending(),
         flow_number(out, *sequence->generation),
         logprobs ? kLogprobRowsMax : 0}
    );
  }
  return out;
}

void add_rows(SequenceState& state, LaneSequence& sequence, std::size_t count) {
  const bool all_outputs = sequence.generation->input().prompt_logprobs && sequence.answer() == 0;
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t position = sequence.computed + i;
    backend::StepRow row;
    row.token = sequence.tokens[position];
    row.position = static_cast<std::int32_t>(position);
    row.sequence = sequence.id;
    row.output = all_outputs || position + 1 == sequence.tokens.size();
    state.rows.push_back(row);
  }
  sequence.step_rows = count;
  sequence.step_drafts = 0;
  sequence.step_last_row = state.rows.size() - 1;
  state.members.push_back(&sequence);
}

// The draft behind a sequence's last token.
void add_draft(SequenceState& state, LaneSequence& sequence, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    backend::StepRow row = state.rows.back();
    row.token = sequence.draft->tokens[i];
    ++row.position;
    state.rows.push_back(row);
  }
  sequence.step_rows += count;
  sequence.step_drafts = count;
  sequence.step_last_row += count;
  state.draft_rows += count;
}

void begin_group(SequenceState& state, const Group& group, TimePoint now) {
  if (state.steps == 0 || state.group != group) {
    if (state.steps > 0) SequenceProbe::add(state.probe.adapter_switches);
    state.slice_began = now;
  }
  state.group = group;
  state.turns[group] = state.steps + 1;
}

void fill_step(SequenceState& state, const Candidates& candidates, const StepPlan& plan) {
  state.rows.clear();
  state.members.clear();
  state.draft_rows = 0;
  for (std::size_t i = 0; i < plan.decoders.size(); ++i) {
    LaneSequence& sequence = *candidates.decoding[plan.decoders[i]];
    add_rows(state, sequence, 1);
    if (plan.drafts[i] > 0) add_draft(state, sequence, plan.drafts[i]);
  }
  for (const StepPlan::Chunk& chunk : plan.chunks) {
    add_rows(state, *candidates.reading[chunk.reader], chunk.tokens);
  }
  state.shape = plan.shape;
  state.step_streams.clear();
  for (const LaneSequence* member : state.members) {
    state.step_streams.push_back(member->generation->stream);
  }
  state.step.rows = state.rows;
  state.step.adapter = state.group.first != nullptr ? state.group.first->adapter.get() : nullptr;
  state.step.adapter_scale = state.group.second;
  // A step is given up once nobody wants anything of it.
  state.step.abort = [&state] {
    if (state.closing.load(std::memory_order_relaxed)) return true;
    return std::all_of(
        state.step_streams.begin(),
        state.step_streams.end(),
        [](const auto& stream) { return stream->cancelled(); }
    );
  };
}

}  // namespace

ReadingTurn reading_turn(
    const SequenceState& state, const Generation& generation, std::size_t pending
) {
  const auto places = static_cast<double>(state.slots_by_flow.at(generation.flow));
  return {
      .level = generation.level,
      .inside = places / generation.request->principal.weight,
      .given = state.queue.given(generation.flow),
      .pending = pending,
  };
}

InheritedTurns inherited_turns(const SequenceState& state) {
  InheritedTurns inherited;
  // Whoever follows came in later than whom it follows.
  for (auto place = state.running.rbegin(); place != state.running.rend(); ++place) {
    const Generation& generation = **place;
    if (generation.sequences.empty()) continue;
    const LaneSequence& follower = *generation.sequences.front();
    if (follower.phase != LaneSequence::Phase::kFollowing) continue;
    const ReadingTurn turn = reading_turn(state, inherited, follower);
    const auto [known, is_new] = inherited.try_emplace(follower.leader, turn);
    if (!is_new) known->second = std::min(known->second, turn);
  }
  return inherited;
}

ReadingTurn reading_turn(
    const SequenceState& state, const InheritedTurns& inherited, const LaneSequence& sequence
) {
  const ReadingTurn own = reading_turn(state, *sequence.generation, sequence.pending());
  const auto found = inherited.find(sequence.order);
  return found == inherited.end() ? own : std::min(own, found->second);
}

bool compose(SequenceState& state, TimePoint now) {
  for (;;) {
    const std::vector<LaneSequence*> sequences = runnable(state);
    if (sequences.empty()) return false;
    const Group group = choose_group(state, sequences, now);
    const Candidates candidates = candidates_of(state, sequences, group);
    StepView view;
    view.decoders = candidates.decoders;
    view.readers = candidates.readers;
    view.weights = candidates.weights;
    view.rows_max = std::max<std::size_t>(state.backend.model().step_rows_max, 1);
    view.switched = state.steps > 0 && state.group != group;
    if (state.speculates) view.draft_rows_max = cells_available(state);
    view.probe_drafts =
        state.draft_probes.due(state.steps) || (state.draft_model && state.draft_model->probing());
    view.draft_gain_min = state.options.draft_gain_min;
    const StepPlan plan = state.policy.next(view, state.cost);
    const std::size_t rows = plan.shape.decode_rows + plan.shape.prompt_rows;
    CHECK(rows > 0, "a step without rows");
    const std::size_t inside = state.running_max - state.free_ids.size();
    CHECK(make_room(state, rows, now), "one sequence alone fits into memory");
    // Whoever had to go may have been in the plan.
    if (state.running_max - state.free_ids.size() != inside) continue;
    begin_group(state, group, now);
    fill_step(state, candidates, plan);
    if (state.draft_rows > 0) state.draft_probes.ran(state.steps, plan.probe);
    return true;
  }
}

}  // namespace cortex::scheduler::actions
