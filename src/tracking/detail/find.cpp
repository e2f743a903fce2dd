// SPDX-License-Identifier: Apache-2.0
#include "tracking/detail/find.h"

namespace cortex::tracking::detail {

using store::Rows;
using store::Transaction;

Result<StoredRun> find_stored_run(
    Transaction& transaction, const std::string& workspace, const std::string& run_id
) {
  static const std::string sql =
      "SELECT " + std::string(kRunColumns) + " FROM run r WHERE r.workspace = $1 AND r.run_id = $2";
  CORTEX_ASSIGN_OR_RETURN(const Rows rows, transaction.query(sql, {workspace, run_id}));
  if (rows.empty()) return not_found("Run with id=" + run_id + " not found");
  return run_of(rows, 0);
}

Result<StoredRun> find_open_run(
    Transaction& transaction, const std::string& workspace, const std::string& run_id
) {
  CORTEX_ASSIGN_OR_RETURN(StoredRun run, find_stored_run(transaction, workspace, run_id));
  if (run.info.active) return run;
  return invalid_argument(
      "The run " + run_id + " must be in the 'active' state. Current state is deleted."
  );
}

Result<StoredModel> find_stored_model(
    Transaction& transaction, const std::string& workspace, const std::string& model_id
) {
  static const std::string sql = "SELECT " + std::string(kModelColumns) +
                                 " FROM logged_model l WHERE l.workspace = $1 AND l.model_id = $2";
  CORTEX_ASSIGN_OR_RETURN(const Rows rows, transaction.query(sql, {workspace, model_id}));
  if (rows.empty()) return not_found("Logged model with ID '" + model_id + "' not found.");
  return model_of(rows, 0);
}

}  // namespace cortex::tracking::detail
