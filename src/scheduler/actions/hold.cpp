// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <utility>

#include "scheduler/actions/actions.h"

namespace cortex::scheduler::actions {
namespace {

using Phase = LaneSequence::Phase;

// Behind every class that a request can have.
constexpr std::size_t kNamedLevel = 1 << 20;
// What could not be held whole is tried again after that.
constexpr Duration kRenewAfter = std::chrono::seconds(5);

// Somebody waits, reads a prompt or would have no place.
bool others_come_first(const SequenceState& state) {
  if (!state.waiting.empty() || state.free_ids.empty()) return true;
  if (state.slots >= std::max<std::size_t>(state.running_max, 2) - 1) return true;
  bool reading = false;
  state.each_sequence([&](const LaneSequence& sequence) {
    reading = reading || (sequence.phase != Phase::kEnded && !sequence.decodes());
  });
  return reading;
}

std::unique_ptr<Generation> make_reader(SequenceState& state, const PrefixArrival& prefix) {
  SequenceInput input;
  input.prompt = prefix.tokens;
  input.tokens_max = 1;
  input.adapter_scale = prefix.adapter_scale;
  auto request = std::make_shared<Request>();
  request->input = std::move(input);
  auto out = std::make_unique<Generation>();
  out->ticket = ++state.tickets;
  out->request = std::move(request);
  out->stream = std::make_shared<ResponseStream>();
  out->adapter = prefix.adapter;
  out->space = prefix.space;
  out->level = kNamedLevel;
  out->prefix_name = prefix.name;
  return out;
}

// False where it has no room.
bool begin_reading(SequenceState& state, TimePoint now) {
  Generation& generation = *state.named_next;
  const std::vector<Token>& prompt = generation.input().prompt;
  const std::size_t held =
      std::min(state.tree.matching(generation.space, prompt), prompt.size() - 1);
  const std::size_t headroom = headroom_of(1);
  auto sequence = std::make_unique<LaneSequence>();
  sequence->generation = &generation;
  sequence->order = ++state.orders;
  sequence->tokens = prompt;
  sequence->prompt = prompt.size();
  const auto recalled = recalled_beyond(state, generation, held);
  const bool restored =
      recalled && cells_available(state) >= std::max(recalled->cells, prompt.size()) + headroom &&
      make_room(state, recalled->cells, now) && enter_recalled(state, *sequence, *recalled, now);
  if (!restored) {
    if (cells_available(state) < prompt.size() - held + headroom) return false;
    enter_memory(state, *sequence, now);
    if (cells_available(state) < sequence->pending() + headroom) {
      leave_memory(state, *sequence);
      return false;
    }
  }
  drop_recalled(state, generation);
  generation.admitted = now;
  generation.sequences.push_back(std::move(sequence));
  state.slots += 1;
  state.slots_by_flow[generation.flow] += 1;
  state.running.push_back(std::move(state.named_next));
  return true;
}

void choose_next(SequenceState& state, TimePoint now) {
  const cache::NamedPrefix* missing = state.named.next_missing();
  if (missing == nullptr) {
    state.named.renew();
    state.named_after = now + kRenewAfter;
    return;
  }
  state.named_next = make_reader(state, state.named_arrivals.at(missing->name));
  static_cast<void>(recall(state, *state.named_next, now));
}

}  // namespace

void hold_prefixes(SequenceState& state, TimePoint now) {
  if (!state.named_next && (state.named.complete() || now < state.named_after)) return;
  if (others_come_first(state)) return;
  if (!state.named_next) choose_next(state, now);
  if (!state.named_next || state.named_next->recalls_until) return;
  if (begin_reading(state, now)) return;
  drop_recalled(state, *state.named_next);
  state.named_next.reset();
}

void hold_prefix(SequenceState& state, LaneSequence& sequence) {
  const std::string& name = sequence.generation->prefix_name;
  const std::size_t tokens = sequence.computed - sequence.own_cells;
  state.named.hold(name, sequence.pin, tokens);
  if (state.options.on_prefix_held) state.options.on_prefix_held(name, tokens);
  leave_memory(state, sequence);
  sequence.phase = Phase::kEnded;
}

bool release_prefixes(SequenceState& state, TimePoint now) {
  if (state.named.tokens_held() == 0) return false;
  SequenceProbe::add(state.probe.named_released);
  state.named.release();
  state.named_after = now + kRenewAfter;
  if (!state.options.on_prefix_held) return true;
  for (const auto& [name, arrival] : state.named_arrivals) state.options.on_prefix_held(name, 0);
  return true;
}

}  // namespace cortex::scheduler::actions
