// SPDX-License-Identifier: Apache-2.0
#include <optional>
#include <utility>

#include "scheduler/actions/actions.h"
#include "scheduler/prompt_logprobs.h"

namespace cortex::scheduler::actions {
namespace {

using Phase = LaneSequence::Phase;

constexpr double kDecodeCharge = 2;  // a drawn token, in tokens of a prompt

void note_prompt_logprobs(SequenceState& state, LaneSequence& sequence) {
  Generation& generation = *sequence.generation;
  const SequenceInput& input = generation.input();
  if (!input.prompt_logprobs || sequence.answer() > 0) return;
  const std::size_t first_row = sequence.step_last_row + 1 - sequence.step_rows;
  const std::size_t first = sequence.computed - sequence.step_rows;
  for (std::size_t i = 0; i < sequence.step_rows; ++i) {
    const std::size_t next = first + i + 1;
    // Read again after it was outside: they are known.
    if (next >= sequence.prompt || next <= generation.prompt_logprobs.size()) continue;
    generation.prompt_logprobs.push_back(logprob_of(
        state.backend.logits(first_row + i), sequence.tokens[next], input.top_logprobs.value_or(0)
    ));
  }
}

// The forks part from the first sequence here, where its prompt has been computed.
void make_forks(SequenceState& state, LaneSequence& first) {
  Generation& generation = *first.generation;
  const SequenceInput& input = generation.input();
  if (generation.forked()) return;
  if (first.own_cells > 0) {
    const std::size_t cells = std::exchange(first.own_cells, 0);
    state.own_cells -= cells;
    first.shared = std::make_shared<SharedCells>(cells, state.shared_cells);
  }
  for (std::size_t i = 1; i < input.sequences; ++i) {
    auto fork = std::make_unique<LaneSequence>();
    fork->generation = &generation;
    fork->index = static_cast<std::uint32_t>(i);
    fork->order = ++state.orders;
    fork->phase = Phase::kInside;
    CHECK(!state.free_ids.empty(), "a place was kept for every fork");
    fork->id = state.free_ids.back();
    state.free_ids.pop_back();
    fork->tokens = first.tokens;
    fork->prompt = first.prompt;
    fork->computed = first.computed;
    fork->shared = first.shared;
    fork->pin = first.pin;
    fork->sampler = state.backend.make_sampler(input.sampling, generation.seed + i);
    for (const Token token : input.prompt) fork->sampler->accept(token);
    if (input.constraint) fork->constraint = input.constraint->fork();
    fork->last_step = first.last_step;
    state.backend.share(first.id, fork->id, 0, static_cast<std::int32_t>(first.computed));
    if (state.draft_model) state.draft_model->fork(first.id, fork->id, first.computed);
    generation.sequences.push_back(std::move(fork));
  }
}

void count_token(SequenceState& state, LaneSequence& sequence, TimePoint now) {
  Generation& generation = *sequence.generation;
  if (generation.first_token == TimePoint{}) {
    generation.first_token = now;
    generation.timings.first_token = now - generation.request->arrival;
    state.probe.first_token.add(generation.timings.first_token);
    state.probe.prefill.add(now - generation.admitted);
  }
  if (sequence.last_token != TimePoint{}) state.probe.inter_token.add(now - sequence.last_token);
  sequence.last_token = now;
  ++sequence.drawn;
}

Result<SampledToken> draw(
    SequenceState& state, LaneSequence& sequence, std::span<const float> logits
) {
  backend::SampleOptions options;
  options.top_logprobs = sequence.generation->input().top_logprobs;
  if (sequence.constraint) {
    const Status status = sequence.constraint->allow(state.mask);
    if (!status.ok()) return status;
    options.allowed = state.mask;
  }
  return sequence.sampler->sample(logits, options);
}

// What a drawn token means: an end, or one more token of the answer.
void take_token(SequenceState& state, LaneSequence& sequence, SampledToken&& drawn) {
  Generation& generation = *sequence.generation;
  const SequenceInput& input = generation.input();
  const Token token = drawn.token;
  const bool ends = state.backend.vocabulary().is_end(token);
  if (ends && (!input.ignore_end || sequence.constraint)) {
    return end_sequence(state, sequence, FinishReason::kStop);
  }
  sequence.sampler->accept(token);
  if (sequence.constraint) {
    Status status = sequence.constraint->accept(token);
    if (!status.ok()) {
      generation.failure = std::move(status);
      return;
    }
  }
  sequence.tokens.push_back(token);
  output_of(sequence).tokens.push_back(std::move(drawn));
  ++generation.timings.output_tokens;
  state.queue.charge(generation.flow, kDecodeCharge);
  SequenceProbe::add(state.probe.generated_tokens);
  if (sequence.constraint && sequence.constraint->finished()) {
    end_sequence(state, sequence, FinishReason::kStop);
  } else if (sequence.answer() >= input.tokens_max || sequence.tokens.size() >= state.length_max) {
    end_sequence(state, sequence, FinishReason::kLength);
  }
}

// The token that was drawn; none where the sequence is over.
std::optional<Token> go_on(
    SequenceState& state, LaneSequence& sequence, std::size_t row, TimePoint now
) {
  if (sequence.constraint && sequence.constraint->finished()) {
    end_sequence(state, sequence, FinishReason::kStop);
    return std::nullopt;
  }
  Result<SampledToken> drawn = draw(state, sequence, state.backend.logits(row));
  if (!drawn.ok()) {
    sequence.generation->failure = drawn.status();
    return std::nullopt;
  }
  const Token token = drawn->token;
  count_token(state, sequence, now);
  take_token(state, sequence, std::move(*drawn));
  return token;
}

// Draws at the sequence's own row and, as long as its draft comes true, at the rows behind it: what
// is drawn is what would have been drawn token by token.
void go_along(SequenceState& state, LaneSequence& sequence, TimePoint now) {
  const std::size_t first = sequence.step_last_row - sequence.step_drafts;
  for (std::size_t number = 0;; ++number) {
    const std::optional<Token> drawn = go_on(state, sequence, first + number, now);
    if (!drawn || !came_true(state, sequence, number, *drawn)) break;
  }
  drop_rest(state, sequence);
}

}  // namespace

void sample(SequenceState& state, TimePoint now) {
  for (LaneSequence* member : state.members) {
    Generation& generation = *member->generation;
    if (generation.stream->cancelled() || !generation.failure.ok()) {
      drop_rest(state, *member);
      continue;
    }
    note_prompt_logprobs(state, *member);
    if (member->pending() > 0) continue;
    if (!generation.prefix_name.empty()) {
      hold_prefix(state, *member);
      continue;
    }
    if (member->index != 0 || generation.forked()) {
      go_along(state, *member, now);
      continue;
    }
    make_forks(state, *member);
    for (const auto& sequence : generation.sequences) {
      if (generation.failure.ok()) go_on(state, *sequence, member->step_last_row, now);
    }
  }
}

}  // namespace cortex::scheduler::actions
