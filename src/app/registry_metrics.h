// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "metrics/exposition.h"
#include "registry/probation.h"
#include "registry/registry.h"
#include "registry/stored/stored_models.h"

namespace cortex::app {

// As cortex_probations_total.
void write_probation_counts(metrics::Exposition& out, const registry::ProbationCounts& counts);
// As cortex_model_memory_bytes.
void write_model_memory(metrics::Exposition& out, const std::vector<registry::IndexEntry>& index);

// As cortex_replay_answers_evicted_total.
void write_replays_evicted(metrics::Exposition& out, std::uint64_t count);

// As cortex_stored_*.
void write_stored_counts(metrics::Exposition& out, const registry::StoredCounts& counts);

}  // namespace cortex::app
