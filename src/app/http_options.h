// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/core_budget.h"
#include "config/settings.h"
#include "frontend/http/server.h"

namespace cortex::app {

// The settings as the HTTP server knows them. Pure.
[[nodiscard]] frontend::HttpServerOptions http_options(
    const config::Settings& settings, const CoreBudget& cores
);

}  // namespace cortex::app
