// SPDX-License-Identifier: Apache-2.0
#include "app/response_metrics.h"

namespace cortex::app {

void write_response_counts(
    metrics::Exposition& out, const frontend::responses::ResponseCounts& counts
) {
  out.family(
      "cortex_responses_total",
      metrics::Type::kCounter,
      "Answers of /v1/responses that were to be kept: refused ones were over a limit and said so, "
      "lost ones met a database that failed."
  );
  out.sample({{"outcome", "kept"}}, static_cast<double>(counts.kept));
  out.sample({{"outcome", "refused"}}, static_cast<double>(counts.refused));
  out.sample({{"outcome", "lost"}}, static_cast<double>(counts.lost));
  out.family(
      "cortex_responses_dropped_total",
      metrics::Type::kCounter,
      "Kept answers that went: for their age, or for responses.bytes."
  );
  out.sample({{"reason", "age"}}, static_cast<double>(counts.expired));
  out.sample({{"reason", "budget"}}, static_cast<double>(counts.evicted));
}

}  // namespace cortex::app
