// SPDX-License-Identifier: Apache-2.0
#include <cstdint>
#include <set>
#include <string_view>
#include <utility>

#include "tracking/detail/find.h"
#include "tracking/detail/rows.h"
#include "tracking/runs.h"
#include "tracking/validation.h"

namespace cortex::tracking {
namespace {

using store::Rows;
using store::Transaction;
using store::Value;

// The number of a dataset of this name and digest; the first one that came stays.
Result<std::int64_t> put_dataset(
    Transaction& transaction,
    const std::string& workspace,
    std::int64_t experiment,
    const Dataset& dataset
) {
  CORTEX_RETURN_IF_ERROR(
      transaction
          .execute(
              "INSERT INTO dataset (workspace, experiment, name, digest, source_type, source, "
              "schema_text, profile) VALUES ($1, $2, $3, $4, $5, $6, $7, $8) "
              "ON CONFLICT (workspace, experiment, name, digest) DO NOTHING",
              {workspace,
               experiment,
               dataset.name,
               dataset.digest,
               dataset.source_type,
               dataset.source,
               dataset.schema,
               dataset.profile}
          )
          .status()
  );
  CORTEX_ASSIGN_OR_RETURN(
      const Rows rows,
      transaction.query(
          "SELECT number FROM dataset "
          "WHERE workspace = $1 AND experiment = $2 AND name = $3 AND digest = $4",
          {workspace, experiment, dataset.name, dataset.digest}
      )
  );
  if (rows.empty()) return internal("a dataset that was just kept is not there");
  return rows.integer(0, 0);
}

Status put_input(
    Transaction& transaction,
    const std::string& workspace,
    const detail::StoredRun& run,
    const DatasetInput& input
) {
  CORTEX_ASSIGN_OR_RETURN(
      const std::int64_t dataset,
      put_dataset(transaction, workspace, run.info.experiment, input.dataset)
  );
  CORTEX_ASSIGN_OR_RETURN(
      const std::int64_t added,
      transaction.execute(
          "INSERT INTO run_dataset (run, dataset) VALUES ($1, $2) ON CONFLICT DO NOTHING",
          {run.number, dataset}
      )
  );
  // The tags belong to the input that came first.
  if (added == 0) return {};
  for (const Tag& tag : input.tags) {
    CORTEX_RETURN_IF_ERROR(
        transaction
            .execute(
                "INSERT INTO run_dataset_tag (run, dataset, key, value) VALUES ($1, $2, $3, $4) "
                "ON CONFLICT (run, dataset, key) DO UPDATE SET value = excluded.value",
                {run.number, dataset, tag.key, tag.value}
            )
            .status()
    );
  }
  return {};
}

Status put_models(
    Transaction& transaction,
    std::int64_t run,
    const std::string& direction,
    const std::vector<ModelOutput>& models
) {
  std::vector<Value> parameters;
  for (const ModelOutput& model : models) {
    parameters.insert(
        parameters.end(), {Value(run), Value(direction), Value(model.model_id), Value(model.step)}
    );
  }
  if (parameters.empty()) return {};
  return transaction
      .execute_many(
          "INSERT INTO run_model (run, direction, model_id, step) VALUES ($1, $2, $3, $4) "
          "ON CONFLICT DO NOTHING",
          4,
          parameters
      )
      .status();
}

}  // namespace

Status log_inputs(
    Transaction& transaction,
    const std::string& workspace,
    const std::string& run_id,
    const RunInputs& inputs
) {
  for (const DatasetInput& input : inputs.datasets) CORTEX_RETURN_IF_ERROR(check_dataset(input));
  CORTEX_ASSIGN_OR_RETURN(
      const detail::StoredRun run, detail::find_open_run(transaction, workspace, run_id)
  );
  std::set<std::pair<std::string_view, std::string_view>> seen;
  for (const DatasetInput& input : inputs.datasets) {
    if (!seen.emplace(input.dataset.name, input.dataset.digest).second) continue;
    CORTEX_RETURN_IF_ERROR(put_input(transaction, workspace, run, input));
  }
  std::vector<ModelOutput> models;
  for (const std::string& model : inputs.models) models.push_back({model, 0});
  return put_models(transaction, run.number, "input", models);
}

Status log_outputs(
    Transaction& transaction,
    const std::string& workspace,
    const std::string& run_id,
    const std::vector<ModelOutput>& outputs
) {
  CORTEX_ASSIGN_OR_RETURN(
      const detail::StoredRun run, detail::find_open_run(transaction, workspace, run_id)
  );
  return put_models(transaction, run.number, "output", outputs);
}

}  // namespace cortex::tracking
