// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "store/transaction.h"
#include "tracking/entities.h"

namespace cortex::tracking::detail {

// id, name, artifact_location, lifecycle_stage, created_at, updated_at.
[[nodiscard]] Experiment experiment_of(const store::Rows& rows, std::size_t row);

// The columns of `run` (as r) that make a StoredRun, and one made of them.
inline constexpr std::string_view kRunColumns =
    "r.number, r.run_id, r.experiment, r.name, r.user_id, r.status, r.start_time, r.end_time, "
    "r.artifact_uri, r.lifecycle_stage";
inline constexpr std::size_t kRunColumnCount = 10;
// The tag that holds a run's name, too.
inline constexpr std::string_view kRunNameTag = "mlflow.runName";
struct StoredRun {
  std::int64_t number = 0;
  RunInfo info;
};
[[nodiscard]] StoredRun run_of(const store::Rows& rows, std::size_t row);

// The columns of `logged_model` (as l) that make a StoredModel.
inline constexpr std::string_view kModelColumns =
    "l.number, l.model_id, l.experiment, l.name, l.model_type, l.source_run_id, l.artifact_uri, "
    "l.status, l.status_message, l.creator, l.created_at, l.updated_at, l.lifecycle_stage";
inline constexpr std::size_t kModelColumnCount = 13;
struct StoredModel {
  std::int64_t number = 0;
  bool active = true;
  LoggedModel model;
};
[[nodiscard]] StoredModel model_of(const store::Rows& rows, std::size_t row);

// A metric of the five columns from `column`: key, at, step, value, is_nan.
[[nodiscard]] Metric metric_of(const store::Rows& rows, std::size_t row, std::size_t column);

// Fill in what belongs to many things at once: three statements for up to 500 runs, and so on.
[[nodiscard]] Status read_experiment_tags(
    store::Transaction& transaction, const std::string& workspace, std::span<Experiment> experiments
);
[[nodiscard]] Result<std::vector<Run>> read_runs(
    store::Transaction& transaction, std::vector<StoredRun> stored
);
[[nodiscard]] Result<std::vector<LoggedModel>> read_models(
    store::Transaction& transaction, std::vector<StoredModel> stored
);

}  // namespace cortex::tracking::detail
