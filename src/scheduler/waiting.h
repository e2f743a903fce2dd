// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <variant>
#include <vector>

#include "base/clock.h"
#include "base/status.h"
#include "request/request.h"
#include "request/response_stream.h"

namespace cortex::scheduler {

// A request in the queue of a lane: what the policy decides by, and the request itself, which the
// policy never reads.
struct Waiting {
  TimePoint enqueued{};
  TimePoint expires = kNoDeadline;  // refused with kDeadlineExceeded from this moment on
  TimePoint delays = kNoDeadline;   // goes behind its whole level at this moment, once
  std::uint64_t key = 0;            // only requests with equal keys may share a batch
  std::uint32_t rows = 1;           // size of the batch dimension
  std::uint32_t length = 0;         // of the padded dimension; 0: nothing may be padded
  bool alone = false;               // shares a batch with nobody
  std::shared_ptr<const Request> request;
  std::shared_ptr<ResponseStream> stream;
};

// What a lane is asked for are tensors; nothing else is let in.
[[nodiscard]] inline const InferInput& input_of(const Waiting& waiting) {
  return std::get<InferInput>(waiting.request->input);
}

// One priority level, the next to be served first.
struct Level {
  std::deque<Waiting> waiting;
  std::size_t passed_over =
      0;  // batches in a row that were led by a higher level while this one had to wait
};

// Requests that run together, in the order of their rows.
struct Batch {
  std::vector<Waiting> members;
  std::size_t rows = 0;
  std::uint32_t length = 0;  // the longest member's; 0: nothing is padded
  TimePoint closed{};
  std::uint64_t number = 0;  // counts the batches of a lane in the order they were closed
};

// A stream to end, once no lock is held.
struct Ending {
  std::shared_ptr<ResponseStream> stream;
  Status status;
  Timings timings;
};

}  // namespace cortex::scheduler
