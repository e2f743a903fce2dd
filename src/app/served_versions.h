// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "app/lane_directory.h"
#include "app/server_metrics.h"
#include "app/storage.h"
#include "config/settings.h"
#include "frontend/codec/oip/statistics_document.h"
#include "metrics/exposition.h"
#include "registry/registry.h"
#include "tracking/serving_runs.h"

namespace cortex::app {

// What every version did so far, from counters that are there for the metrics.
[[nodiscard]] std::vector<tracking::ServedCounts> read_served(
    const ServerMetrics& metrics, const LaneDirectory& lanes, const registry::Registry& models
);

// The same as Triton's statistics extension tells it.
[[nodiscard]] std::vector<frontend::oip::ModelStatistics> read_statistics(
    const ServerMetrics& metrics, const LaneDirectory& lanes
);

// Writes what was served as runs; the run of a registered version is linked to it: the version's
// tag `cortex.serving_run` names the run, and the run has the version's logged model as its input.
// `storage` outlives it.
[[nodiscard]] std::unique_ptr<tracking::ServingRuns> make_serving_runs(
    const config::Settings& settings,
    Storage& storage,
    std::function<std::vector<tracking::ServedCounts>()> read
);

// As cortex_serving_run_*.
void write_serving_run_counts(metrics::Exposition& out, const tracking::ServingRunsCounts& counts);

}  // namespace cortex::app
