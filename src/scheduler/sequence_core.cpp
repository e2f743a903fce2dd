// SPDX-License-Identifier: Apache-2.0
#include "scheduler/sequence_core.h"

#include <algorithm>
#include <cstdio>
#include <utility>

#include "scheduler/actions/actions.h"

namespace cortex::scheduler {
namespace {

// Clients leave and readers come back without a call; with nothing to run the lane looks again.
constexpr Duration kLookAgain = std::chrono::milliseconds(20);

// Of an adapter; what lies in further ones is never found again once it was removed, and evicted
// in its turn.
constexpr std::size_t kSpacesMax = 1024;

// Without a class of its own a request stands behind those of class 1 and before all others.
constexpr std::size_t kDefaultClass = 2;

// A key's class is the best that its requests may ask for.
std::size_t level_of(const Request& request) {
  const std::size_t own = request.principal.priority_class;
  const auto asked = static_cast<std::size_t>(std::min<std::uint64_t>(request.priority, 64));
  const std::size_t most = own > 0 ? own : (asked > 0 ? 1 : kDefaultClass);
  return std::max(most, asked) - 1;
}

// Parts of a name that a client chose cannot pretend to be two.
std::string joined(std::string_view first, std::string_view second) {
  return std::to_string(first.size()) + ":" + std::string(first) + std::string(second);
}

std::string flow_of(const Principal& principal) {
  return joined(joined(principal.workspace, principal.tenant), principal.key);
}

std::string adapter_key(const NamedAdapter& adapter, float scale) {
  char text[32];
  std::snprintf(text, sizeof text, "*%a", static_cast<double>(scale));
  return adapter.name + "@" + std::to_string(adapter.number) + text;
}

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
  generation->space.tenant = joined(request.principal.workspace, request.principal.tenant);
  generation->space.salt = input.cache_salt;
  if (arrival.adapter) {
    generation->space.adapter = adapter_key(*arrival.adapter, input.adapter_scale);
    auto& spaces = state_.spaces[arrival.adapter->number];
    if (spaces.size() < kSpacesMax) spaces.insert(generation->space);
  }
  generation->seed = input.sampling.seed ? *input.sampling.seed : state_.random();
  generation->enqueued = now;
  generation->expires = queue_end(request, now);
  generation->request = std::move(arrival.request);
  generation->stream = std::move(arrival.stream);
  generation->adapter = std::move(arrival.adapter);
  FairEntry entry;
  entry.ticket = generation->ticket;
  entry.flow = generation->flow;
  entry.level = generation->level;
  entry.deadline = request.deadline;
  state_.queue.push(std::move(entry));
  state_.waiting.emplace(generation->ticket, std::move(generation));
}

void SequenceCore::forget_adapter(const NamedAdapter& adapter) {
  const auto forget = [&](Generation& generation) {
    if (generation.adapter.get() == &adapter) generation.forgets = true;
  };
  for (const auto& [ticket, generation] : state_.waiting) forget(*generation);
  for (const auto& generation : state_.running) forget(*generation);
  const auto known = state_.spaces.find(adapter.number);
  if (known == state_.spaces.end()) return;
  for (const cache::PrefixSpace& space : known->second) {
    apply_moves(state_, state_.tree.forget(space));
  }
  state_.spaces.erase(known);
}

SequenceCore::Turn SequenceCore::plan(TimePoint now) {
  actions::retire(state_, now);
  actions::restore(state_, now);
  actions::admit(state_, now);
  Turn turn;
  if (actions::compose(state_, now)) {
    turn.step = &state_.step;
  } else {
    turn.wait_until = next_look(now);
  }
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
  show();
}

TimePoint SequenceCore::next_look(TimePoint now) const {
  return state_.waiting.empty() && state_.running.empty() ? kNoDeadline : now + kLookAgain;
}

void SequenceCore::show() const {
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
}

}  // namespace cortex::scheduler
