// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "base/status.h"
#include "store/transaction.h"
#include "tracking/detail/rows.h"

namespace cortex::tracking::detail {

// kNotFound in MLflow's words when it is not there.
[[nodiscard]] Result<StoredRun> find_stored_run(
    store::Transaction& transaction, const std::string& workspace, const std::string& run_id
);
// The same, and kInvalidArgument when it is deleted: nothing is written to it.
[[nodiscard]] Result<StoredRun> find_open_run(
    store::Transaction& transaction, const std::string& workspace, const std::string& run_id
);
[[nodiscard]] Result<StoredModel> find_stored_model(
    store::Transaction& transaction, const std::string& workspace, const std::string& model_id
);

}  // namespace cortex::tracking::detail
