// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/status.h"

namespace cortex::backend {

enum class OptimizationLevel : std::uint8_t { kDisable, kBasic, kExtended, kAll };

// How a session runs, out of a model's parameters.
struct SessionSettings {
  int intra_threads = 1;
  int inter_threads = 1;
  bool parallel = false;
  OptimizationLevel optimization = OptimizationLevel::kAll;
  // Off: as fast, measured, and memory that a run no longer needs goes back to the process.
  bool memory_arena = false;
  // A pattern is kept for every shape ever seen; where shapes vary they would only grow.
  bool memory_pattern = false;
  std::string arena_shrinkage;  // "cpu:0": the arena gives memory back after each run; empty: never
  std::vector<std::pair<std::string, std::string>> entries;  // the library's own keys
  std::vector<std::string> unknown;  // parameters that say nothing to the engine
};

// kInvalidArgument names a parameter whose value is none. `threads` is what the core budget grants.
[[nodiscard]] Result<SessionSettings> session_settings(
    const std::map<std::string, std::string>& parameters, std::size_t threads
);

}  // namespace cortex::backend
