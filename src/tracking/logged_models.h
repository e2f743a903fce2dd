// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/status.h"
#include "store/transaction.h"
#include "tracking/entities.h"

namespace cortex::tracking {

// Models that runs log, before any is registered. Every function works in one workspace, inside the
// transaction of its caller; `now` is the time in milliseconds. Errors: kNotFound and
// kInvalidArgument in MLflow's words.

struct NewLoggedModel {
  std::int64_t experiment = 0;
  std::string name;  // empty: one that is made up
  std::string model_type;
  std::string source_run_id;
  std::string creator;
  std::vector<Param> params;
  std::vector<Tag> tags;
};

[[nodiscard]] Result<LoggedModel> create_logged_model(
    store::Transaction& transaction,
    const std::string& workspace,
    const NewLoggedModel& model,
    std::int64_t now
);
[[nodiscard]] Result<LoggedModel> find_logged_model(
    store::Transaction& transaction,
    const std::string& workspace,
    const std::string& model_id,
    bool deleted_too = false
);
[[nodiscard]] Result<LoggedModel> finalize_logged_model(
    store::Transaction& transaction,
    const std::string& workspace,
    const std::string& model_id,
    ModelStatus status,
    std::int64_t now
);
// No error when it is deleted already.
[[nodiscard]] Status delete_logged_model(
    store::Transaction& transaction,
    const std::string& workspace,
    const std::string& model_id,
    std::int64_t now
);
[[nodiscard]] Status set_logged_model_tags(
    store::Transaction& transaction,
    const std::string& workspace,
    const std::string& model_id,
    const std::vector<Tag>& tags
);
[[nodiscard]] Status delete_logged_model_tag(
    store::Transaction& transaction,
    const std::string& workspace,
    const std::string& model_id,
    const std::string& key
);
// A param keeps its first value; another one is kInvalidArgument.
[[nodiscard]] Status log_logged_model_params(
    store::Transaction& transaction,
    const std::string& workspace,
    const std::string& model_id,
    const std::vector<Param>& params
);

}  // namespace cortex::tracking
