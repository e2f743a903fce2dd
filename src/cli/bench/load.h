// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/status.h"

namespace cortex::cli::bench {

// One request. `worker` is the calling thread's number, `index` the request's. Called by several
// workers at once.
using Call = std::function<Status(std::size_t worker, std::size_t index)>;

struct LoadResult {
  std::vector<double> latencies;  // seconds, ascending; of the requests that succeeded
  std::uint64_t errors = 0;
  std::string first_error;
  double seconds = 0;  // from the first request to the last answer

  [[nodiscard]] double throughput() const {
    return seconds > 0 ? static_cast<double>(latencies.size()) / seconds : 0;
  }
};

// Closed loop: `workers` threads, each sends its next request when the last one is answered.
[[nodiscard]] LoadResult run_closed(std::size_t workers, Duration duration, const Call& call);

// Open loop: request i is due at `schedule[i]` seconds, whatever became of those before. Latency
// counts from then, so that waiting for a busy worker, or behind a stall, is not left out.
// `workers` bounds the requests in flight.
[[nodiscard]] LoadResult run_open(
    std::size_t workers, const std::vector<double>& schedule, const Call& call
);

}  // namespace cortex::cli::bench
