// SPDX-License-Identifier: Apache-2.0
#include "app/registry_metrics.h"

#include <string_view>
#include <utility>

namespace cortex::app {

void write_probation_counts(metrics::Exposition& out, const registry::ProbationCounts& counts) {
  out.family(
      "cortex_probations_total",
      metrics::Type::kCounter,
      "Loads by what their probation said: passed, refused by the engine, died, cut_short, "
      "remembered (passed before), quarantined (died before)."
  );
  const std::pair<std::string_view, std::uint64_t> outcomes[] = {
      {"passed", counts.passed},
      {"refused", counts.refused},
      {"died", counts.died},
      {"cut_short", counts.cut_short},
      {"remembered", counts.remembered},
      {"quarantined", counts.quarantined},
  };
  for (const auto& [outcome, count] : outcomes) {
    out.sample({{"outcome", outcome}}, static_cast<double>(count));
  }
}

void write_model_memory(metrics::Exposition& out, const std::vector<registry::IndexEntry>& index) {
  out.family(
      "cortex_model_memory_bytes",
      metrics::Type::kGauge,
      "Memory of a loaded version: what it added on probation, else what its engine counts."
  );
  for (const registry::IndexEntry& entry : index) {
    if (entry.memory_bytes == 0) continue;
    out.sample(
        {{"model", entry.name}, {"version", entry.version}}, static_cast<double>(entry.memory_bytes)
    );
  }
}

void write_replays_evicted(metrics::Exposition& out, std::uint64_t count) {
  out.family(
      "cortex_replay_answers_evicted_total",
      metrics::Type::kCounter,
      "Answers under an Idempotency-Key that went before their time, for want of room."
  );
  out.sample({}, static_cast<double>(count));
}

void write_stored_counts(metrics::Exposition& out, const registry::StoredCounts& counts) {
  const auto write = [&](std::string_view name, std::string_view help, std::uint64_t count) {
    out.family(name, metrics::Type::kCounter, help);
    out.sample({}, static_cast<double>(count));
  };
  write(
      "cortex_stored_folders_total",
      "Versions of registered models that were made into model folders.",
      counts.folders
  );
  write(
      "cortex_stored_failures_total",
      "Versions of registered models that could not be made into model folders.",
      counts.failures
  );
  write(
      "cortex_stored_alias_moves_total",
      "Aliases and stages of registered models that came to point to another version.",
      counts.alias_moves
  );
}

}  // namespace cortex::app
