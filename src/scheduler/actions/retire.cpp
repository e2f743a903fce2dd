// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <utility>

#include "request/sequence_ends.h"
#include "scheduler/actions/actions.h"

namespace cortex::scheduler::actions {
namespace {

using Phase = LaneSequence::Phase;

std::string model_text(
    const SequenceState& state, std::string_view before, std::string_view after
) {
  std::string text(before);
  text += " of model '";
  text += state.options.identity.name;
  text += "' ";
  text += after;
  return text;
}

// Why a request may not go on; OK when it may.
Status why_over(const SequenceState& state, const Generation& generation, TimePoint now) {
  if (!generation.failure.ok()) return generation.failure;
  if (generation.stream->cancelled()) return {Code::kCancelled, "the client left"};
  if (generation.request->deadline <= now) {
    return {Code::kDeadlineExceeded, model_text(state, "a sequence", "ran into its deadline")};
  }
  return {};
}

SequenceProbe::Counter& end_counter(SequenceProbe& probe, Code code) {
  switch (code) {
    case Code::kCancelled:
      return probe.cancelled;
    case Code::kDeadlineExceeded:
      return probe.expired;
    case Code::kUnavailable:
      return probe.rejected_closed;
    default:
      return probe.failed;
  }
}

// REQUIRES: its sequences that did not end by themselves are not freed yet.
void count_end(SequenceState& state, const Generation& generation, const Status& status) {
  if (status.ok()) return;
  SequenceProbe::Counter& counter = end_counter(state.probe, status.code());
  SequenceProbe::add(counter);
  const auto ended = std::ranges::count_if(generation.sequences, [](const auto& sequence) {
    return sequence->phase == Phase::kEnded;
  });
  SequenceProbe::add(
      &counter == &state.probe.failed ? state.probe.finished_error : state.probe.finished_abort,
      generation.input().sequences - static_cast<std::size_t>(ended)
  );
}

// What became of the time since the first token.
void count_times(SequenceProbe& probe, const Generation& generation) {
  TimePoint last = generation.first_token;
  for (const auto& sequence : generation.sequences) {
    last = std::max(last, sequence->last_token);
    if (sequence->drawn < 2) continue;
    const Duration behind_first = sequence->last_token - generation.first_token;
    probe.per_token.add(behind_first / static_cast<std::int64_t>(sequence->drawn - 1));
  }
  probe.decode.add(last - generation.first_token);
  probe.inference.add(last - generation.admitted);
}

void count_answer(SequenceProbe& probe, const Generation& generation) {
  std::size_t longest = 0;
  for (const auto& sequence : generation.sequences) {
    longest = std::max(longest, sequence->answer());
  }
  const Timings& timings = generation.timings;
  probe.request_generated_tokens.add(static_cast<double>(timings.output_tokens));
  probe.request_longest_tokens.add(static_cast<double>(longest));
  probe.request_tokens_max.add(static_cast<double>(generation.input().tokens_max));
  probe.request_sequences.add(static_cast<double>(generation.input().sequences));
  if (generation.first_token == TimePoint{}) return;  // its prompt was not read to the end
  probe.request_computed_tokens.add(
      static_cast<double>(timings.input_tokens - timings.cached_tokens)
  );
}

void end_waiting(SequenceState& state, std::uint64_t ticket, Status status, TimePoint now) {
  const auto place = state.waiting.find(ticket);
  const std::unique_ptr<Generation> generation = std::move(place->second);
  state.waiting.erase(place);
  if (!generation->recalls_until) state.queue.drop(ticket);
  drop_recalled(state, *generation);
  state.door.leave(*generation->request);
  generation->timings.queue = now - generation->enqueued;
  count_end(state, *generation, status);
  generation->stream->finish(std::move(status), generation->timings);
}

void retire_waiting(SequenceState& state, TimePoint now) {
  std::vector<std::pair<std::uint64_t, Status>> over;
  for (const auto& [ticket, generation] : state.waiting) {
    Status status = why_over(state, *generation, now);
    if (status.ok() && generation->expires <= now) {
      status = Status(
          Code::kDeadlineExceeded, model_text(state, "the queue", "took longer than allowed")
      );
    }
    if (!status.ok()) over.emplace_back(ticket, std::move(status));
  }
  for (auto& [ticket, status] : over) end_waiting(state, ticket, std::move(status), now);
}

// Sends what waits to be sent; the last part of all goes with the end.
void deliver(SequenceState& state, Generation& generation) {
  const std::size_t kept = generation.ended() ? 1 : 0;
  auto& unsent = generation.unsent;
  if (unsent.size() <= kept) {
    generation.stalled = false;
    return;
  }
  if (!std::exchange(generation.listens, true) && state.options.wake) {
    generation.stream->on_room(state.options.wake);
  }
  std::size_t sent = 0;
  while (unsent.size() - sent > kept) {
    ResponsePart part = std::move(unsent[sent]);
    if (!generation.stream->write(std::move(part))) {
      unsent[sent] = std::move(std::get<TokenOutput>(part));
      break;
    }
    ++sent;
  }
  unsent.erase(unsent.begin(), unsent.begin() + static_cast<std::ptrdiff_t>(sent));
  const bool stalls = std::any_of(unsent.begin(), unsent.end(), [](const TokenOutput& output) {
    return output.tokens.size() >= kUnsentTokensMax;
  });
  if (stalls && !generation.stalled) SequenceProbe::add(state.probe.pauses);
  // It goes on once everything was taken, so that a reader at the edge does not make it stutter.
  generation.stalled = unsent.size() > kept && (stalls || generation.stalled);
}

void free_sequence(SequenceState& state, LaneSequence& sequence) {
  leave_memory(state, sequence);
  drop_saved(state, sequence);
  sequence.phase = Phase::kEnded;
  sequence.sampler.reset();
  sequence.constraint.reset();
}

void free_places(SequenceState& state, Generation& generation, TimePoint now) {
  for (const auto& sequence : generation.sequences) {
    // Whoever left, perhaps at a stop string, may come back with what was said so far.
    if (generation.failure.ok()) publish(state, *sequence, now);
    free_sequence(state, *sequence);
  }
  const std::size_t places = generation.input().sequences;
  state.slots -= places;
  const auto flow = state.slots_by_flow.find(generation.flow);
  flow->second -= places;
  if (flow->second == 0) state.slots_by_flow.erase(flow);
  if (generation.prefix_name.empty()) state.queue.leave(generation.flow);
}

void finish(SequenceState& state, Generation& generation, const Status& status, TimePoint now) {
  count_end(state, generation, status);
  free_places(state, generation, now);
  state.probe.end_to_end.add(now - generation.request->arrival);
  if (generation.first_token != TimePoint{}) count_times(state.probe, generation);
  count_answer(state.probe, generation);
  const auto drawn = static_cast<double>(generation.timings.output_tokens);
  state.answer_tokens += (drawn - state.answer_tokens) / kRequestsRemembered;
  if (!status.ok()) return generation.stream->finish(status, generation.timings);
  CHECK(generation.unsent.size() == 1, "the end of a sequence is a part");
  generation.stream->finish(std::move(generation.unsent.front()), generation.timings);
}

// Of what the reader wants no more nothing is drawn.
void end_unwanted(SequenceState& state, Generation& generation) {
  const auto& ends = generation.input().ends;
  if (!ends || !generation.forked()) return;
  for (const auto& sequence : generation.sequences) {
    if (sequence->phase == Phase::kEnded || !ends->ended(sequence->index)) continue;
    end_sequence(state, *sequence, FinishReason::kStop);
  }
}

// True when it is over.
bool retire_running(SequenceState& state, Generation& generation, TimePoint now) {
  if (!generation.prefix_name.empty()) {
    const bool over = generation.ended() || !why_over(state, generation, now).ok();
    if (over) free_places(state, generation, now);
    return over;
  }
  Status status = why_over(state, generation, now);
  if (status.ok()) end_unwanted(state, generation);
  if (status.ok() || !generation.stream->cancelled()) deliver(state, generation);
  if (status.ok() && !(generation.ended() && generation.unsent.size() == 1)) return false;
  finish(state, generation, status, now);
  return true;
}

}  // namespace

TokenOutput& output_of(LaneSequence& sequence) {
  Generation& generation = *sequence.generation;
  for (TokenOutput& output : generation.unsent) {
    if (output.sequence == sequence.index) return output;
  }
  TokenOutput& output = generation.unsent.emplace_back();
  output.sequence = sequence.index;
  if (sequence.index == 0) output.prompt = std::exchange(generation.prompt_logprobs, {});
  return output;
}

void end_sequence(SequenceState& state, LaneSequence& sequence, FinishReason reason) {
  output_of(sequence).finish = reason;
  SequenceProbe::add(
      reason == FinishReason::kStop ? state.probe.finished_stop : state.probe.finished_length
  );
  publish(state, sequence, sequence.last_token);
  free_sequence(state, sequence);
}

void retire(SequenceState& state, TimePoint now) {
  retire_waiting(state, now);
  std::erase_if(state.running, [&](const std::unique_ptr<Generation>& generation) {
    return retire_running(state, *generation, now);
  });
  if (state.shares_prefixes) apply_moves(state, state.tree.collect());
}

void end_all(SequenceState& state, const Status& status, TimePoint now) {
  while (!state.waiting.empty()) end_waiting(state, state.waiting.begin()->first, status, now);
  if (state.named_next) drop_recalled(state, *state.named_next);
  state.named_next.reset();
  for (const auto& generation : state.running) {
    if (!generation->prefix_name.empty()) {
      free_places(state, *generation, now);
      continue;
    }
    deliver(state, *generation);
    finish(state, *generation, status, now);
  }
  state.running.clear();
}

}  // namespace cortex::scheduler::actions
