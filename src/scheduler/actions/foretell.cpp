// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <memory>
#include <numeric>
#include <span>
#include <utility>
#include <vector>

#include "scheduler/actions/actions.h"

namespace cortex::scheduler::actions {
namespace {

// Tokens at the end of a prompt that are foretold from those before, and as how many they count.
constexpr std::size_t kPromptTried = 256;
constexpr double kPromptBelieved = 8;
// From this chance on what was said before is not questioned by a draft model.
constexpr double kLookupBelieved = 0.6;

std::size_t unsent_tokens(const LaneSequence& sequence) {
  for (const TokenOutput& output : sequence.generation->unsent) {
    if (output.sequence == sequence.index) return output.tokens.size();
  }
  return 0;
}

bool wants_drafts(const LaneSequence& sequence) {
  return sequence.generation->input().draft_tokens_max != 0;
}

// As many as may be drawn in one step beside the one that is drawn anyway.
std::size_t draft_max(const SequenceState& state, const LaneSequence& sequence) {
  const auto left = [](std::size_t most, std::size_t have) {
    return most - std::min(most, have + 1);
  };
  return std::min(
      {state.options.draft_tokens_max,
       sequence.generation->input().draft_tokens_max.value_or(kSpeculationTokensMax),
       left(sequence.generation->input().tokens_max, sequence.answer()),
       left(state.length_max, sequence.tokens.size()),
       left(kUnsentTokensMax, unsent_tokens(sequence))}
  );
}

// How well a prompt foretells itself says how well it may foretell its answer.
std::unique_ptr<SequenceDraft> begin_draft(const LaneSequence& sequence) {
  auto draft = std::make_unique<SequenceDraft>();
  const std::span<const Token> prompt(sequence.tokens.data(), sequence.prompt);
  const std::size_t tried = std::min(prompt.size() - 1, kPromptTried);
  for (std::size_t i = prompt.size() - tried; i < prompt.size(); ++i) {
    const std::span<const Token> before = prompt.first(i);
    const PromptLookup::Match match = draft->lookup.find(before);
    const std::vector<Token> next = PromptLookup::follow(before, match, 1);
    if (!next.empty()) draft->record.learn(match.length, next.front() == prompt[i]);
  }
  draft->record.believe_at_most(kPromptBelieved);
  return draft;
}

// Nothing comes behind an end.
void cut_at_end(const SequenceState& state, LaneSequence& sequence) {
  const SequenceInput& input = sequence.generation->input();
  if (input.ignore_end && !sequence.constraint) return;
  auto& tokens = sequence.draft->tokens;
  const auto end = std::find_if(tokens.begin(), tokens.end(), [&](Token token) {
    return state.backend.vocabulary().is_end(token);
  });
  if (end != tokens.end()) tokens.erase(end + 1, tokens.end());
}

void finish_draft(const SequenceState& state, LaneSequence& sequence, const DraftRecord& record) {
  cut_at_end(state, sequence);
  SequenceDraft& draft = *sequence.draft;
  draft.chances.clear();
  double chance = 1;
  for (std::size_t i = 0; i < draft.tokens.size(); ++i) {
    chance *= record.chance(draft.alike[i]);
    draft.chances.push_back(chance);
  }
}

}  // namespace

void foretell(SequenceState& state, LaneSequence& sequence) {
  if (!wants_drafts(sequence)) return;
  if (!sequence.draft) sequence.draft = begin_draft(sequence);
  SequenceDraft& draft = *sequence.draft;
  if (draft.made_at == sequence.tokens.size()) return;
  draft.made_at = sequence.tokens.size();
  draft.by_model = false;
  const PromptLookup::Match match = draft.lookup.find(sequence.tokens);
  draft.tokens = PromptLookup::follow(sequence.tokens, match, draft_max(state, sequence));
  draft.alike.resize(draft.tokens.size());
  std::iota(draft.alike.begin(), draft.alike.end(), match.length);
  finish_draft(state, sequence, draft.record);
}

void foretell_with_model(SequenceState& state, std::span<LaneSequence* const> decoding) {
  if (!state.draft_model) return;
  StepShape shape;
  std::vector<LaneSequence*> asking;
  std::vector<DraftModel::Wish> wishes;
  std::vector<const ResponseStream*> streams;
  for (LaneSequence* sequence : decoding) {
    ++shape.decode_rows;
    shape.attended += attended_by(sequence->computed, 1);
    const std::size_t most = wants_drafts(*sequence) ? draft_max(state, *sequence) : 0;
    if (most == 0) continue;
    const SequenceDraft& draft = *sequence->draft;
    const bool likely = !draft.chances.empty() && draft.chances.front() >= kLookupBelieved;
    if (likely || draft.asked_at == sequence->tokens.size()) continue;
    asking.push_back(sequence);
    wishes.push_back({sequence->id, sequence->tokens, most});
    streams.push_back(sequence->generation->stream.get());
  }
  const std::size_t count = std::min(
      state.draft_model->worth(shape, state.cost, wishes.size(), state.options.draft_gain_min),
      state.options.draft_tokens_max
  );
  if (count == 0) return;
  const std::uint64_t steps = state.draft_model->steps_run();
  // As the step itself: given up once nobody wants anything of it.
  const auto abort = [&] {
    if (state.closing.load(std::memory_order_relaxed)) return true;
    return std::ranges::all_of(streams, [](const auto* stream) { return stream->cancelled(); });
  };
  auto drafts = state.draft_model->foretell(wishes, count, state.cost.estimate(shape), abort);
  SequenceProbe::add(state.probe.draft_model_steps, state.draft_model->steps_run() - steps);
  for (std::size_t i = 0; i < asking.size(); ++i) {
    SequenceDraft& draft = *asking[i]->draft;
    draft.asked_at = asking[i]->tokens.size();
    if (drafts[i].tokens.empty()) continue;
    draft.by_model = true;
    draft.tokens = std::move(drafts[i].tokens);
    draft.alike = std::move(drafts[i].alike);
    finish_draft(state, *asking[i], state.draft_model->record());
  }
}

bool came_true(SequenceState& state, LaneSequence& sequence, std::size_t number, Token drawn) {
  if (!sequence.draft || number >= sequence.draft->tokens.size()) return false;
  SequenceDraft& draft = *sequence.draft;
  const bool came = draft.tokens[number] == drawn;
  const bool carried = number < sequence.step_drafts;
  if (carried && came) {
    SequenceProbe::add(state.probe.draft_tokens_accepted);
    if (draft.by_model) SequenceProbe::add(state.probe.model_draft_tokens_accepted);
  }
  // It ended, failed, or the draft is of an earlier token.
  if (draft.made_at + number + 1 != sequence.tokens.size() || !sequence.inside()) return false;
  if (draft.by_model) {
    state.draft_model->learn(draft.alike[number], came);
  } else {
    draft.record.learn(draft.alike[number], came);
  }
  if (!carried || !came) return false;
  ++sequence.computed;
  ++sequence.own_cells;
  ++state.own_cells;
  return true;
}

void drop_rest(SequenceState& state, LaneSequence& sequence) {
  if (sequence.step_drafts == 0 || !sequence.inside()) return;
  state.backend.remove(sequence.id, static_cast<std::int32_t>(sequence.computed), -1);
  sequence.step_drafts = 0;
}

}  // namespace cortex::scheduler::actions
