// SPDX-License-Identifier: Apache-2.0
#include "scheduler/sequence_core.h"

#include <algorithm>
#include <utility>

#include "scheduler/actions/actions.h"
#include "scheduler/prefix_space.h"
#include "scheduler/request_flow.h"

namespace cortex::scheduler {
namespace {

// Clients leave and readers come back without a call; with nothing to run the lane looks again.
constexpr Duration kLookAgain = std::chrono::milliseconds(20);

TimePoint queue_end(const Request& request, TimePoint now) {
  TimePoint end = request.deadline;
  if (request.queue_timeout.count() > 0) end = std::min(end, now + request.queue_timeout);
  return end;
}

}  // namespace

SequenceCore::SequenceCore(
    SequenceCoreOptions options, backend::SequenceBackend& backend, SequenceProbe& probe
)
    : state_(std::move(options), backend, probe) {}

void SequenceCore::add(SequenceArrival arrival) {
  const TimePoint now = arrival.submitted;
  auto generation = std::make_unique<Generation>();
  const Request& request = *arrival.request;
  const auto& input = std::get<SequenceInput>(request.input);
  generation->ticket = ++state_.tickets;
  generation->flow = flow_of(request.principal);
  generation->level = level_of(request);
  generation->space = prefix_space(
      joined_names(request.principal.workspace, request.principal.tenant),
      input.cache_salt,
      arrival.adapter.get(),
      input.adapter_scale
  );
  state_.know_space(generation->space, arrival.adapter, input.adapter_scale);
  generation->seed = input.sampling.seed ? *input.sampling.seed : state_.random();
  generation->enqueued = now;
  generation->expires = queue_end(request, now);
  generation->request = std::move(arrival.request);
  generation->stream = std::move(arrival.stream);
  generation->adapter = std::move(arrival.adapter);
  Generation& waiting = *generation;
  state_.waiting.emplace(waiting.ticket, std::move(generation));
  if (!actions::recall(state_, waiting, now)) actions::enqueue(state_, waiting);
}

void SequenceCore::add_prefix(PrefixArrival arrival) {
  state_.know_space(arrival.space, arrival.adapter, arrival.adapter_scale);
  cache::NamedPrefix prefix;
  prefix.name = arrival.name;
  prefix.space = arrival.space;
  prefix.tokens = arrival.tokens;
  const Status status = state_.named.add(std::move(prefix));
  CHECK(status.ok(), "who takes a name knows that it is free");
  state_.named_after = {};
  std::string name = arrival.name;
  state_.named_arrivals.emplace(std::move(name), std::move(arrival));
}

void SequenceCore::remove_prefix(const std::string& name) {
  state_.named.remove(name);
  state_.named_arrivals.erase(name);
  if (state_.named_next && state_.named_next->prefix_name == name) {
    actions::drop_recalled(state_, *state_.named_next);
    state_.named_next.reset();
  }
  for (const auto& generation : state_.running) {
    if (generation->prefix_name == name) generation->stream->cancel();
  }
}

void SequenceCore::forget_adapter(const NamedAdapter& adapter) {
  const auto forget = [&](Generation& generation) {
    if (generation.adapter.get() == &adapter) generation.forgets = true;
  };
  for (const auto& [ticket, generation] : state_.waiting) forget(*generation);
  for (const auto& generation : state_.running) forget(*generation);
  const auto known = state_.spaces.find(adapter.number);
  if (known == state_.spaces.end()) return;
  actions::give_up_copy(state_);
  for (const cache::PrefixSpace& space : known->second) {
    for (const cache::NamedPrefix& prefix : state_.named.list()) {
      if (prefix.space == space) remove_prefix(prefix.name);
    }
    if (const auto stored = state_.stored_space(space); stored && state_.store) {
      state_.store->forget(*stored);
    }
    apply_moves(state_, state_.tree.forget(space));
  }
  for (const cache::PrefixSpace& space : known->second) {
    state_.stored_adapters.erase(space.adapter);
  }
  state_.spaces.erase(known);
}

SequenceCore::Turn SequenceCore::plan(TimePoint now) {
  actions::retire(state_, now);
  actions::restore(state_, now);
  actions::take_recalled(state_, now);
  actions::admit(state_, now);
  actions::hold_prefixes(state_, now);
  Turn turn;
  const bool kept = actions::keep_prefix(state_, now);
  if (actions::compose(state_, now)) {
    turn.step = &state_.step;
  } else {
    turn.wait_until = kept ? now : next_look(now);
  }
  actions::tell_pace(state_);
  show();
  return turn;
}

void SequenceCore::commit(const Status& status, TimePoint began, TimePoint now) {
  if (actions::settle(state_, status, now - began, now)) {
    actions::publish_prompts(state_, now);
    actions::sample(state_, now);
  }
  state_.step_streams.clear();  // an ended stream holds a lease: it must not wait for the next step
  actions::retire(state_, now);
  show();
}

void SequenceCore::close(const Status& status, TimePoint now) {
  actions::end_all(state_, status, now);
  actions::keep_all_prefixes(state_, now);
  state_.named.release();
  state_.named_arrivals.clear();  // they own adapters
  show();
}

TimePoint SequenceCore::next_look(TimePoint now) const {
  if (!state_.waiting.empty() || !state_.running.empty() || state_.named_next) {
    return now + kLookAgain;
  }
  TimePoint next = kNoDeadline;
  if (!state_.named.complete()) next = std::max(state_.named_after, now + kLookAgain);
  if (state_.keep_after > now) next = std::min(next, state_.keep_after);
  return next;
}

// The store counts from its own beginning, the probe may be older.
void SequenceCore::show_store() {
  if (!state_.store) return;
  SequenceProbe& probe = state_.probe;
  const cache::PrefixStoreCounts before = std::exchange(state_.store_shown, state_.store->counts());
  const cache::PrefixStoreCounts& now = state_.store_shown;
  SequenceProbe::set(probe.prefix_memory_bytes, now.memory_bytes);
  SequenceProbe::set(probe.prefix_disk_bytes, now.disk_bytes);
  SequenceProbe::add(probe.prefixes_evicted_memory, now.evicted_memory - before.evicted_memory);
  SequenceProbe::add(probe.prefixes_evicted_disk, now.evicted_disk - before.evicted_disk);
  SequenceProbe::add(
      probe.prefix_writes_failed,
      now.writes_failed + now.writes_dropped - before.writes_failed - before.writes_dropped
  );
}

void SequenceCore::show() {
  show_store();
  SequenceProbe& probe = state_.probe;
  std::uint64_t inside = 0;
  std::uint64_t outside = 0;
  state_.each_sequence([&](const LaneSequence& sequence) {
    if (sequence.inside()) ++inside;
    if (sequence.phase == LaneSequence::Phase::kOutside) ++outside;
  });
  SequenceProbe::set(probe.running, inside);
  SequenceProbe::set(probe.preempted, outside);
  SequenceProbe::set(probe.waiting, state_.door.requests());
  SequenceProbe::set(probe.waiting_tokens, state_.door.tokens());
  SequenceProbe::set(probe.cells_used, state_.cells_used());
  SequenceProbe::set(probe.prefix_cells, state_.tree.cells());
  SequenceProbe::set(probe.saved_bytes, state_.saved_bytes);
  SequenceProbe::set(probe.named_prefixes, state_.named_arrivals.size());
  SequenceProbe::set(probe.named_cells, state_.named.tokens_held());
}

}  // namespace cortex::scheduler
