// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "frontend/http/server.h"
#include "metrics/exposition.h"

namespace cortex::app {

// The HTTP server's own counters, as cortex_http_*.
void write_http_counts(metrics::Exposition& out, const frontend::HttpCounts& counts);

}  // namespace cortex::app
