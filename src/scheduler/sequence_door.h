// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <map>
#include <string>
#include <utility>

#include "backend/sequence_backend.h"
#include "base/mutex.h"
#include "base/status.h"
#include "request/request.h"
#include "scheduler/lane_pace.h"
#include "scheduler/sequence_probe.h"

namespace cortex::scheduler {

struct SequenceDoorOptions {
  std::string model;  // for messages
  std::size_t vocabulary_size = 0;
  std::size_t tokens_max = 0;     // of one sequence: context length and memory
  std::size_t sequences_max = 1;  // of one request
  std::size_t queue_requests_max = 512;
  std::size_t queue_tokens_max = 0;
  std::chrono::microseconds first_token_max{0};  // 0: no bound
};

// What is decided about a request on the thread that submits it: whether it fits the model, and
// whether the queue has a place for it: in requests, in prompt tokens and in the time that its
// first token will probably take. Its places are counted here; whoever takes a request out of the
// queue gives its place back.
//
// Who waits before a newcomer is about what FairQueue will make of it: all of the levels before its
// own, and of every flow of its level as many as its own flow has waiting, and one more where that
// flow has no more places, all by the weights of the flows; where those who have places get no
// more, only others who have none. A
// flow of which nobody waits may exceed the bounds by an eighth: one that fills the queue shuts
// nobody else out. Thread-safe.
class SequenceDoor {
 public:
  SequenceDoor(SequenceDoorOptions options, SequenceProbe& probe);

  // OK: the request has a place, until leave(). kInvalidArgument: it can never be served by this
  // model. kResourceExhausted names the bound and estimates when to retry. kUnavailable: the lane
  // drains.
  [[nodiscard]] Status enter(const Request& request);
  void leave(const Request& request);
  void drain() { draining_.store(true, std::memory_order_relaxed); }

  // From the lane: how it goes, and the places that flows have.
  void set_pace(const LanePace& pace, const std::map<std::string, std::size_t>& places_by_flow);

  [[nodiscard]] std::size_t requests() const;
  [[nodiscard]] std::size_t tokens() const;  // of their prompts

 private:
  using Line = std::pair<std::size_t, std::string>;  // level and flow
  struct Waiters : QueueAhead {
    double weight = 1;  // of the flow
  };

  [[nodiscard]] Status check(const SequenceInput& input) const;
  [[nodiscard]] Status find_place(const Request& request, const Line& line) const
      REQUIRES_LOCK(mutex_);
  [[nodiscard]] QueueAhead ahead_of(const Line& line, double weight) const REQUIRES_LOCK(mutex_);
  [[nodiscard]] std::size_t places_of(const std::string& flow) const REQUIRES_LOCK(mutex_);
  [[nodiscard]] Duration first_token_of(const Request& request, const Line& line) const
      REQUIRES_LOCK(mutex_);
  [[nodiscard]] Status full(std::string text, Duration retry_in) const;

  const SequenceDoorOptions options_;
  SequenceProbe& probe_;
  std::atomic<bool> draining_{false};

  mutable Mutex mutex_;
  LanePace pace_ GUARDED_BY(mutex_);
  std::map<std::string, std::size_t> places_by_flow_ GUARDED_BY(mutex_);
  QueueAhead queue_ GUARDED_BY(mutex_);
  // Of those who have requests in the queue.
  std::map<Line, Waiters> lines_ GUARDED_BY(mutex_);
};

}  // namespace cortex::scheduler
