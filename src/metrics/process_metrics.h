// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "metrics/metrics_registry.h"

namespace cortex::metrics {

// The names that Prometheus' client libraries use (process_cpu_seconds_total and so on), read from
// /proc on every scrape, and Triton's nv_cpu_* of the whole machine. The first nv_cpu_utilization
// is since the machine's start, later ones since the scrape before.
void add_process_metrics(MetricsRegistry& registry);

}  // namespace cortex::metrics
