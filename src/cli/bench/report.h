// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <iosfwd>
#include <string>
#include <vector>

#include "cli/bench/load.h"
#include "cli/bench/statistics.h"

namespace cortex::cli::bench {

// One row: a load and what it took.
struct RunRow {
  std::size_t workers = 0;
  double rate = 0;  // requests per second that were due; 0 for a closed loop
  LoadResult load;
  double server_cpu_us = -1;  // per request; below 0 where the server does not tell
};

// The server beside the engine alone, interleaved.
struct VersusRow {
  std::size_t workers = 0;
  std::size_t pairs = 0;
  double server_rate = 0;
  double engine_rate = 0;
  Interval throughput;  // server / engine: above 1 the server is faster
  double server_cpu_us = 0;
  double engine_cpu_us = 0;
  Interval cpu;  // server / engine: below 1 the server takes less
};

struct Report {
  std::string model;
  std::string work;  // "embeddings, 32 tokens"
  std::vector<RunRow> runs;
  std::vector<VersusRow> versus;
};

void print_table(std::ostream& out, const Report& report);
// With CPU model, cores and memory of this machine.
void print_json(std::ostream& out, const Report& report);

}  // namespace cortex::cli::bench
