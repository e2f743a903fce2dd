// SPDX-License-Identifier: Apache-2.0
#include "scheduler/sequence_door.h"

#include <algorithm>
#include <chrono>
#include <utility>

namespace cortex::scheduler {
namespace {

Status does_not_fit(std::string text) { return {Code::kInvalidArgument, std::move(text)}; }

// Takes `by` from a bound; false, and nothing taken, where it is not there. One request is let in
// however large it is, or it would never be.
bool take_place(std::atomic<std::size_t>& taken, std::size_t by, std::size_t most) {
  std::size_t now = taken.load(std::memory_order_relaxed);
  do {
    if (now > 0 && now + by > most) return false;
  } while (!taken.compare_exchange_weak(now, now + by, std::memory_order_relaxed));
  return true;
}

}  // namespace

SequenceDoor::SequenceDoor(SequenceDoorOptions options, SequenceProbe& probe)
    : options_(std::move(options)), probe_(probe) {}

Status SequenceDoor::check(const SequenceInput& input) const {
  if (input.prompt.empty()) return does_not_fit("the prompt has no tokens");
  if (input.tokens_max == 0) return does_not_fit("tokens_max must be at least 1");
  if (input.sequences == 0) return does_not_fit("at least one sequence must be asked for");
  if (input.sequences > options_.sequences_max) {
    return does_not_fit(
        "model '" + options_.model + "' makes at most " + std::to_string(options_.sequences_max) +
        " sequences of one request, and " + std::to_string(input.sequences) + " are asked for"
    );
  }
  if (input.prompt.size() + 1 > options_.tokens_max) {
    return does_not_fit(
        "the prompt has " + std::to_string(input.prompt.size()) + " tokens; model '" +
        options_.model + "' holds " + std::to_string(options_.tokens_max) +
        " of a prompt and its answer together"
    );
  }
  for (const Token token : input.prompt) {
    if (token < 0 || static_cast<std::size_t>(token) >= options_.vocabulary_size) {
      return does_not_fit("token " + std::to_string(token) + " is not in the vocabulary");
    }
  }
  return {};
}

Status SequenceDoor::enter(const Request& request) {
  const auto* input = std::get_if<SequenceInput>(&request.input);
  Status fits = input != nullptr ? check(*input) : does_not_fit("this model takes tokens");
  if (!fits.ok()) {
    SequenceProbe::add(probe_.rejected_invalid);
    return fits;
  }
  if (draining_.load(std::memory_order_relaxed)) {
    SequenceProbe::add(probe_.rejected_closed);
    return {Code::kUnavailable, "model '" + options_.model + "' is being unloaded"};
  }
  if (options_.queue_time_max.count() > 0 && drained_in() > options_.queue_time_max) {
    SequenceProbe::add(probe_.rejected_time);
    return full("requests may wait for " + std::to_string(options_.queue_time_max.count()) + " ms");
  }
  if (!take_place(requests_, 1, options_.queue_requests_max)) {
    SequenceProbe::add(probe_.rejected_requests);
    return full("at most " + std::to_string(options_.queue_requests_max) + " requests may wait");
  }
  if (!take_place(tokens_, input->prompt.size(), options_.queue_tokens_max)) {
    requests_.fetch_sub(1, std::memory_order_relaxed);
    SequenceProbe::add(probe_.rejected_tokens);
    return full("at most " + std::to_string(options_.queue_tokens_max) + " prompt tokens may wait");
  }
  SequenceProbe::add(probe_.accepted);
  return {};
}

void SequenceDoor::leave(const Request& request) {
  requests_.fetch_sub(1, std::memory_order_relaxed);
  tokens_.fetch_sub(
      std::get<SequenceInput>(request.input).prompt.size(), std::memory_order_relaxed
  );
}

std::chrono::milliseconds SequenceDoor::drained_in() const {
  const double rate = rate_.load(std::memory_order_relaxed);
  if (rate <= 0) return {};
  const double answers = static_cast<double>(requests()) * answer_.load(std::memory_order_relaxed);
  const double seconds = std::min((static_cast<double>(tokens()) + answers) / rate, 1e6);
  return std::chrono::milliseconds(static_cast<std::int64_t>(seconds * 1000));
}

// Half of the queue must have gone, so that whoever comes back finds a place.
Status SequenceDoor::full(std::string text) const {
  constexpr std::chrono::milliseconds kUnknown{1000};
  constexpr std::chrono::milliseconds kLeast{100};
  constexpr std::chrono::milliseconds kMost{120'000};
  const auto drained = drained_in();
  const auto wait = drained.count() == 0 ? kUnknown : std::clamp(drained / 2, kLeast, kMost);
  return Status(
             Code::kResourceExhausted,
             "the queue of model '" + options_.model + "' is full: " + text
  )
      .with_retry_after(wait);
}

}  // namespace cortex::scheduler
