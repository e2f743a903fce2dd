// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>

#include "backend/sequence_backend.h"
#include "base/status.h"
#include "request/request.h"
#include "scheduler/sequence_probe.h"

namespace cortex::scheduler {

struct SequenceDoorOptions {
  std::string model;  // for messages
  std::size_t vocabulary_size = 0;
  std::size_t tokens_max = 0;     // of one sequence: context length and memory
  std::size_t sequences_max = 1;  // of one request
  std::size_t queue_requests_max = 512;
  std::size_t queue_tokens_max = 0;
  std::chrono::milliseconds queue_time_max{0};  // 0: no bound
};

// What is decided about a request on the thread that submits it: whether it fits the model, and
// whether the queue has a place for it: in requests, in prompt tokens and in the time that it will
// probably take. Its places are counted here; whoever takes a request out of the queue gives its
// place back. Thread-safe.
class SequenceDoor {
 public:
  SequenceDoor(SequenceDoorOptions options, SequenceProbe& probe);

  // OK: the request has a place, until leave(). kInvalidArgument: it can never be served by this
  // model. kResourceExhausted names the bound and estimates when to retry. kUnavailable: the lane
  // drains.
  [[nodiscard]] Status enter(const Request& request);
  void leave(const Request& request);
  void drain() { draining_.store(true, std::memory_order_relaxed); }

  // How fast the lane works, prompt and answer alike, and how long answers are; from the lane.
  void set_pace(double tokens_per_second, double tokens_per_answer) {
    rate_.store(tokens_per_second, std::memory_order_relaxed);
    answer_.store(tokens_per_answer, std::memory_order_relaxed);
  }
  // When the queue as it is now will have been served; zero where the pace is not known yet.
  [[nodiscard]] std::chrono::milliseconds drained_in() const;

  [[nodiscard]] std::size_t requests() const { return requests_.load(std::memory_order_relaxed); }
  [[nodiscard]] std::size_t tokens() const { return tokens_.load(std::memory_order_relaxed); }

 private:
  [[nodiscard]] Status check(const SequenceInput& input) const;
  [[nodiscard]] Status full(std::string text) const;

  const SequenceDoorOptions options_;
  SequenceProbe& probe_;
  std::atomic<std::size_t> requests_{0};
  std::atomic<std::size_t> tokens_{0};
  std::atomic<double> rate_{0};
  std::atomic<double> answer_{0};
  std::atomic<bool> draining_{false};
};

}  // namespace cortex::scheduler
