// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/status.h"
#include "store/transaction.h"
#include "tracking/entities.h"

namespace cortex::tracking {

// The values of one metric over time. A run that is not there has none.

struct HistoryQuery {
  std::string run_id;
  std::string key;
  std::size_t limit = 25000;
  std::string page_token;
};
struct HistoryPage {
  std::vector<Metric> metrics;  // by timestamp, then step, then value
  std::string next_page_token;  // empty: the last page
};
[[nodiscard]] Result<HistoryPage> metric_history(
    store::Transaction& transaction, const std::string& workspace, const HistoryQuery& query
);

// The values of several runs, each with its run's id: by run, timestamp, step and value, `limit` in
// all.
[[nodiscard]] Result<std::vector<Metric>> metric_histories(
    store::Transaction& transaction,
    const std::string& workspace,
    const std::vector<std::string>& run_ids,
    const std::string& key,
    std::size_t limit
);

// For drawing: at most `limit` values of each run, evenly spread over what there is, the last one
// always among them; by step.
struct SampleQuery {
  std::vector<std::string> run_ids;
  std::string key;
  std::size_t limit = 2500;
  std::optional<std::pair<std::int64_t, std::int64_t>> steps;  // first and last
};
[[nodiscard]] Result<std::vector<Metric>> sample_metrics(
    store::Transaction& transaction, const std::string& workspace, const SampleQuery& query
);

}  // namespace cortex::tracking
