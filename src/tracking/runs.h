// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/status.h"
#include "store/transaction.h"
#include "tracking/entities.h"

namespace cortex::tracking {

// Runs and what is written to them. Every function works in one workspace, inside the transaction
// of its caller; `now` is the time in milliseconds. Errors: kNotFound, and kInvalidArgument in
// MLflow's words, also for a write to a deleted run. A write that comes twice leaves what one left.

struct NewRun {
  std::int64_t experiment = 0;
  std::string name;  // empty: that of the tag mlflow.runName, or one that is made up
  std::string user_id;
  std::int64_t start_time = 0;
  std::vector<Tag> tags;
};

[[nodiscard]] Result<Run> create_run(
    store::Transaction& transaction, const std::string& workspace, const NewRun& run
);

// With everything but its histories; four indexed statements.
[[nodiscard]] Result<Run> find_run(
    store::Transaction& transaction, const std::string& workspace, const std::string& run_id
);
// Only what the run's own row holds.
[[nodiscard]] Result<RunInfo> find_run_info(
    store::Transaction& transaction, const std::string& workspace, const std::string& run_id
);

struct RunUpdate {
  std::optional<RunStatus> status;
  std::optional<std::int64_t> end_time;
  std::string name;  // empty: as it is
};
[[nodiscard]] Result<RunInfo> update_run(
    store::Transaction& transaction,
    const std::string& workspace,
    const std::string& run_id,
    const RunUpdate& update
);
// Deletes or restores it; no error when it is there already.
[[nodiscard]] Status set_run_active(
    store::Transaction& transaction,
    const std::string& workspace,
    const std::string& run_id,
    bool active,
    std::int64_t now
);

// What one request logs, all or nothing. Metrics that are there already are left alone; a param
// keeps its first value, and another one is an error; tags take the new one.
struct LogBatch {
  std::vector<Metric> metrics;
  std::vector<Param> params;
  std::vector<Tag> tags;
  bool single = false;  // one thing by a route of its own: errors then name no list
};
// Looks at everything that needs no database, and cuts values that are too long. Pure.
[[nodiscard]] Status check_batch(LogBatch& batch);
// REQUIRES: check_batch() passed.
[[nodiscard]] Status log_batch(
    store::Transaction& transaction,
    const std::string& workspace,
    const std::string& run_id,
    const LogBatch& batch
);

[[nodiscard]] Status delete_run_tag(
    store::Transaction& transaction,
    const std::string& workspace,
    const std::string& run_id,
    const std::string& key
);

// Appends to the tag mlflow.log-model.history, which old clients write: `entry` is a JSON object.
[[nodiscard]] Status append_model_history(
    store::Transaction& transaction,
    const std::string& workspace,
    const std::string& run_id,
    const std::string& entry
);

struct RunInputs {
  std::vector<DatasetInput> datasets;
  std::vector<std::string> models;  // ids of logged models
};
[[nodiscard]] Status log_inputs(
    store::Transaction& transaction,
    const std::string& workspace,
    const std::string& run_id,
    const RunInputs& inputs
);
[[nodiscard]] Status log_outputs(
    store::Transaction& transaction,
    const std::string& workspace,
    const std::string& run_id,
    const std::vector<ModelOutput>& outputs
);

}  // namespace cortex::tracking
