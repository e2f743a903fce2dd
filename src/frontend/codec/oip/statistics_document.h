// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "request/response_stream.h"

namespace cortex::frontend::oip {

// So many times, and what they took together.
struct Tally {
  std::uint64_t count = 0;
  std::uint64_t nanoseconds = 0;
};

// What a version was asked for since the server started, as Triton's statistics extension tells it.
struct ModelStatistics {
  ModelIdentity model;
  std::uint64_t last_inference_ms = 0;  // since the epoch; 0: never
  std::uint64_t rows = 0;               // of all runs
  std::uint64_t executions = 0;         // runs of the engine
  Tally success;                        // of requests, as the following: queue and network included
  Tally fail;
  Tally queue;  // of successful requests, as the following
  Tally compute_input;
  Tally compute_infer;
  Tally compute_output;
};

// GET /v2/models/stats and its narrower forms. Times by batch size are not kept: `batch_stats` is
// empty. Pure.
[[nodiscard]] std::string statistics_document(std::span<const ModelStatistics> statistics);

}  // namespace cortex::frontend::oip
