// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "frontend/codec/responses/response_book.h"
#include "metrics/exposition.h"

namespace cortex::app {

// As cortex_responses_*.
void write_response_counts(
    metrics::Exposition& out, const frontend::responses::ResponseCounts& counts
);

}  // namespace cortex::app
