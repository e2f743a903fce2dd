// SPDX-License-Identifier: Apache-2.0
#include "scheduler/sequence_door.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <initializer_list>
#include <utility>

#include "scheduler/request_flow.h"

namespace cortex::scheduler {
namespace {

Status does_not_fit(std::string text) { return {Code::kInvalidArgument, std::move(text)}; }

std::string in_milliseconds(Duration duration) {
  return std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(duration).count()) +
         " ms";
}

// Estimates are off by so much now and then; whoever is let in is to be served in time.
constexpr double kDoubt = 1.1;
constexpr std::size_t kExtraShare = 8;  // of a bound, for flows that have nothing waiting

std::size_t prompt_of_request(const Request& request) {
  return std::get<SequenceInput>(request.input).prompt.size();
}

// One request is let in however large it is, or it would never be.
bool has_place(std::size_t taken, std::size_t by, std::size_t most, bool first_of_flow) {
  return taken == 0 || taken + by <= most + (first_of_flow ? most / kExtraShare : 0);
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
               "model '" + options_.model + "' makes at most " +
               std::to_string(options_.sequences_max) + " sequences of one request, and " +
               std::to_string(input.sequences) + " are asked for"
    )
        .with_field("n");
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
  const MutexLock lock(mutex_);
  const Line line(level_of(request), flow_of(request.principal));
  Status place = find_place(request, line);
  if (!place.ok()) return place;
  Waiters& waiters = lines_[line];
  waiters.weight = request.principal.weight;
  for (QueueAhead* counted : std::initializer_list<QueueAhead*>{&queue_, &waiters}) {
    ++counted->requests;
    counted->tokens += input->prompt.size();
  }
  SequenceProbe::add(probe_.accepted);
  return {};
}

Status SequenceDoor::find_place(const Request& request, const Line& line) const {
  const std::size_t prompt = prompt_of_request(request);
  const bool first = !lines_.contains(line);
  const Duration half = served_in(pace_, queue_) / 2;  // then whoever comes back finds a place
  if (!has_place(queue_.requests, 1, options_.queue_requests_max, first)) {
    SequenceProbe::add(probe_.rejected_requests);
    const std::string most = std::to_string(options_.queue_requests_max);
    return full("at most " + most + " requests may wait", half);
  }
  if (!has_place(queue_.tokens, prompt, options_.queue_tokens_max, first)) {
    SequenceProbe::add(probe_.rejected_tokens);
    const std::string most = std::to_string(options_.queue_tokens_max);
    return full("at most " + most + " prompt tokens may wait", half);
  }
  if (options_.first_token_max.count() == 0) return {};
  const auto wait = std::chrono::duration_cast<Duration>(kDoubt * first_token_of(request, line));
  if (wait <= options_.first_token_max) return {};
  // Alone it is let in however long it takes, or it would never be.
  if (queue_.requests == 0 && places_by_flow_.empty()) return {};
  SequenceProbe::add(probe_.rejected_time);
  return full(
      "a first token would take " + in_milliseconds(wait) + " and may take " +
          in_milliseconds(options_.first_token_max),
      wait - options_.first_token_max
  );
}

std::size_t SequenceDoor::places_of(const std::string& flow) const {
  const auto found = places_by_flow_.find(flow);
  return found == places_by_flow_.end() ? 0 : found->second;
}

Duration SequenceDoor::first_token_of(const Request& request, const Line& line) const {
  const bool is_new = places_of(line.second) == 0;
  const std::size_t free = is_new ? pace_.free_places_of_new_flows : pace_.free_places;
  const QueueAhead ahead = ahead_of(line, request.principal.weight);
  return first_token_in(pace_, free, ahead, prompt_of_request(request));
}

QueueAhead SequenceDoor::ahead_of(const Line& line, double weight) const {
  const auto found = lines_.find(line);
  const std::size_t own_waiting = found == lines_.end() ? 0 : found->second.requests;
  const std::size_t own_places = places_of(line.second);
  const bool new_alone = pace_.free_places == 0 && own_places == 0;
  QueueAhead ahead;
  for (const auto& [other, waiting] : lines_) {
    if (other.first > line.first) break;
    const std::size_t places = places_of(other.second);
    if (new_alone && places > 0) continue;
    const double times = waiting.weight / weight;  // as many as ours
    const bool due = static_cast<double>(places) <= times * static_cast<double>(own_places);
    const auto turns =
        static_cast<std::size_t>(std::ceil(times * static_cast<double>(own_waiting + (due ? 1 : 0)))
        );
    const std::size_t before =
        other.first < line.first ? waiting.requests : std::min(waiting.requests, turns);
    ahead.requests += before;
    ahead.tokens += waiting.tokens * before / waiting.requests;
  }
  return ahead;
}

void SequenceDoor::leave(const Request& request) {
  const std::size_t prompt = prompt_of_request(request);
  const MutexLock lock(mutex_);
  const auto line = lines_.find(Line(level_of(request), flow_of(request.principal)));
  for (QueueAhead* counted : std::initializer_list<QueueAhead*>{&queue_, &line->second}) {
    --counted->requests;
    counted->tokens -= prompt;
  }
  if (line->second.requests == 0) lines_.erase(line);
}

void SequenceDoor::set_pace(
    const LanePace& pace, const std::map<std::string, std::size_t>& places_by_flow
) {
  const MutexLock lock(mutex_);
  pace_ = pace;
  if (places_by_flow_ != places_by_flow) places_by_flow_ = places_by_flow;
}

std::size_t SequenceDoor::requests() const {
  const MutexLock lock(mutex_);
  return queue_.requests;
}

std::size_t SequenceDoor::tokens() const {
  const MutexLock lock(mutex_);
  return queue_.tokens;
}

Status SequenceDoor::full(std::string text, Duration retry_in) const {
  constexpr std::chrono::milliseconds kUnknown{1000};
  constexpr std::chrono::milliseconds kLeast{100};
  constexpr std::chrono::milliseconds kMost{120'000};
  const auto wait = std::chrono::duration_cast<std::chrono::milliseconds>(retry_in);
  return Status(
             Code::kResourceExhausted,
             "the queue of model '" + options_.model + "' is full: " + text
  )
      .with_retry_after(wait.count() == 0 ? kUnknown : std::clamp(wait, kLeast, kMost));
}

}  // namespace cortex::scheduler
