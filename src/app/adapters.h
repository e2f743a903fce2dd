// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <vector>

#include "config/settings.h"
#include "frontend/codec/model_catalog.h"
#include "metrics/exposition.h"
#include "registry/adapters/adapter_shelf.h"

namespace cortex::app {

[[nodiscard]] registry::AdapterShelfOptions adapter_options(const config::AdapterSettings& settings
);

// Those whose model serves.
[[nodiscard]] std::vector<frontend::OfferedAdapter> offered_adapters(
    const registry::AdapterShelf& shelf
);

struct AdapterReading {
  std::vector<registry::AdapterState> states;
  registry::AdapterCounts counts;
  std::size_t adapters_max = 0;  // of one version
};

// As cortex_adapter_*, of at most `series_max` adapters one by one, and as vLLM's
// lora_requests_info: of all models together, which is what a gateway reads, and of each.
void write_adapter_metrics(
    metrics::Exposition& out, const AdapterReading& reading, std::size_t series_max
);

}  // namespace cortex::app
