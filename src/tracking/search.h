// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/status.h"
#include "store/transaction.h"
#include "tracking/entities.h"

namespace cortex::tracking {

// Searches in MLflow's language (store/filter.h), page by page. A page begins behind the last row
// of the one before, so runs that start or end in between move nothing else. Client text becomes
// parameters, never SQL. kInvalidArgument: filter, order or token, in MLflow's words.

inline constexpr std::size_t kOrderingsLimit = 16;

struct RunQuery {
  std::vector<std::int64_t> experiments;
  std::string filter;                 // of metrics, params, tags, attributes and datasets
  std::vector<std::string> order_by;  // "metrics.loss DESC"; then start_time DESC and run_id
  ViewType view = ViewType::kActiveOnly;
  std::size_t limit = 1000;
  std::string page_token;
};
struct RunPage {
  std::vector<Run> runs;
  std::string next_page_token;  // empty: the last page
};
// A run without the metric, param or tag that a comparison names does not match, whatever the
// comparison; one without what it is ordered by comes last. NaN is unlike every number.
[[nodiscard]] Result<RunPage> search_runs(
    store::Transaction& transaction, const std::string& workspace, const RunQuery& query
);

struct ExperimentQuery {
  std::string filter;  // of name, experiment_id, creation_time, last_update_time and tags
  std::vector<std::string> order_by;  // else creation_time DESC
  ViewType view = ViewType::kActiveOnly;
  std::size_t limit = 1000;
  std::string page_token;
};
struct ExperimentPage {
  std::vector<Experiment> experiments;
  std::string next_page_token;
};
[[nodiscard]] Result<ExperimentPage> search_experiments(
    store::Transaction& transaction, const std::string& workspace, const ExperimentQuery& query
);

struct DatasetFilter {
  std::string name;
  std::string digest;  // empty: any
};
struct LoggedModelOrder {
  std::string field;  // "creation_timestamp", "metrics.loss"
  bool ascending = true;
  std::string dataset_name;    // of a metric; empty: any
  std::string dataset_digest;  // the same
};
struct LoggedModelQuery {
  std::vector<std::int64_t> experiments;
  std::string filter;                      // of attributes, metrics, params and tags
  std::vector<DatasetFilter> datasets;     // any of these; only metrics on them count
  std::vector<LoggedModelOrder> order_by;  // then creation time DESC and model_id
  std::size_t limit = 50;
  std::string page_token;
};
struct LoggedModelPage {
  std::vector<LoggedModel> models;
  std::string next_page_token;
};
[[nodiscard]] Result<LoggedModelPage> search_logged_models(
    store::Transaction& transaction, const std::string& workspace, const LoggedModelQuery& query
);

}  // namespace cortex::tracking
