// SPDX-License-Identifier: Apache-2.0
#include <string>
#include <utility>

#include "base/clock.h"
#include "frontend/codec/mlflow/tracking_reply.h"
#include "frontend/codec/mlflow/tracking_request.h"
#include "frontend/codec/mlflow/tracking_routes.h"
#include "tracking/experiments.h"
#include "tracking/search.h"

namespace cortex::frontend::mlflow {
namespace {

using store::Transaction;

void reply_experiment(std::string& body, const tracking::Experiment& experiment) {
  JsonWriter writer(body);
  writer.open_object();
  write_experiment(writer, "experiment", experiment);
  writer.close_object();
}

Result<Plan> create_experiment(const Context& context, const Call& call) {
  tracking::NewExperiment experiment;
  experiment.name = call.fields.required_text("name");
  experiment.artifact_location = call.fields.text("artifact_location");
  experiment.tags = read_pairs(call.fields, "tags");
  experiment.artifact_root = context.options.artifact_root;
  return Plan::write(
      [experiment = std::move(experiment),
       workspace = call.workspace,
       now = unix_milliseconds()](Transaction& transaction, std::string& body) -> Status {
        CORTEX_ASSIGN_OR_RETURN(
            const std::int64_t id,
            tracking::create_experiment(transaction, workspace, experiment, now)
        );
        JsonWriter writer(body);
        writer.open_object();
        writer.text("experiment_id", std::to_string(id));
        writer.close_object();
        return {};
      }
  );
}

Result<Plan> get_experiment(const Context&, const Call& call) {
  CORTEX_ASSIGN_OR_RETURN(const std::int64_t id, read_experiment_id(call.fields, true));
  return Plan::read(
      [id, workspace = call.workspace](Transaction& transaction, std::string& body) -> Status {
        CORTEX_ASSIGN_OR_RETURN(
            const tracking::Experiment experiment,
            tracking::find_experiment(transaction, workspace, id)
        );
        reply_experiment(body, experiment);
        return {};
      }
  );
}

Result<Plan> get_experiment_by_name(const Context&, const Call& call) {
  return Plan::read(
      [name = call.fields.required_text("experiment_name"),
       workspace = call.workspace](Transaction& transaction, std::string& body) -> Status {
        CORTEX_ASSIGN_OR_RETURN(
            const tracking::Experiment experiment,
            tracking::find_experiment_by_name(transaction, workspace, name)
        );
        reply_experiment(body, experiment);
        return {};
      }
  );
}

Result<Plan> search_experiments(const Context&, const Call& call) {
  tracking::ExperimentQuery query;
  query.filter = call.fields.text("filter");
  query.order_by = call.fields.texts("order_by");
  query.view = read_view(call.fields, "view_type");
  query.page_token = call.fields.text("page_token");
  CORTEX_ASSIGN_OR_RETURN(query.limit, read_page_size(call.fields, query.limit));
  return Plan::read(
      [query = std::move(query),
       workspace = call.workspace](Transaction& transaction, std::string& body) -> Status {
        CORTEX_ASSIGN_OR_RETURN(
            const tracking::ExperimentPage page,
            tracking::search_experiments(transaction, workspace, query)
        );
        JsonWriter writer(body);
        writer.open_object();
        writer.open_list("experiments");
        for (const tracking::Experiment& one : page.experiments) write_experiment(writer, {}, one);
        writer.close_list();
        writer.text_if("next_page_token", page.next_page_token);
        writer.close_object();
        return {};
      }
  );
}

Result<Plan> update_experiment(const Context&, const Call& call) {
  CORTEX_ASSIGN_OR_RETURN(const std::int64_t id, read_experiment_id(call.fields, true));
  return Plan::write([id,
                      name = call.fields.required_text("new_name"),
                      workspace = call.workspace,
                      now = unix_milliseconds()](Transaction& transaction, std::string&) {
    return tracking::rename_experiment(transaction, workspace, id, name, now);
  });
}

Result<Plan> set_experiment_active(const Call& call, bool active) {
  CORTEX_ASSIGN_OR_RETURN(const std::int64_t id, read_experiment_id(call.fields, true));
  return Plan::write([id,
                      active,
                      workspace = call.workspace,
                      now = unix_milliseconds()](Transaction& transaction, std::string&) {
    return tracking::set_experiment_active(transaction, workspace, id, active, now);
  });
}

Result<Plan> remove_experiment(const Context&, const Call& call) {
  return set_experiment_active(call, false);
}
Result<Plan> restore_experiment(const Context&, const Call& call) {
  return set_experiment_active(call, true);
}

Result<Plan> set_experiment_tag(const Context&, const Call& call) {
  CORTEX_ASSIGN_OR_RETURN(const std::int64_t id, read_experiment_id(call.fields, true));
  tracking::Tag tag{call.fields.required_text("key"), call.fields.text("value")};
  return Plan::write([id,
                      tag = std::move(tag),
                      workspace = call.workspace](Transaction& transaction, std::string&) {
    return tracking::set_experiment_tag(transaction, workspace, id, tag);
  });
}

Result<Plan> delete_experiment_tag(const Context&, const Call& call) {
  CORTEX_ASSIGN_OR_RETURN(const std::int64_t id, read_experiment_id(call.fields, true));
  return Plan::write([id,
                      key = call.fields.required_text("key"),
                      workspace = call.workspace](Transaction& transaction, std::string&) {
    return tracking::delete_experiment_tag(transaction, workspace, id, key);
  });
}

}  // namespace

std::vector<MlflowRoute> experiment_routes() {
  constexpr Method kGet = Method::kGet;
  constexpr Method kPost = Method::kPost;
  constexpr Scope kRead = Scope::kRead;
  constexpr Scope kWrite = Scope::kAdmin;
  return {
      json_route(kPost, "/experiments/create", kWrite, "Create an experiment", create_experiment),
      json_route(kGet, "/experiments/get", kRead, "An experiment by its id", get_experiment),
      json_route(
          kGet,
          "/experiments/get-by-name",
          kRead,
          "An experiment by its name",
          get_experiment_by_name
      ),
      json_route(kGet, "/experiments/search", kRead, "Search experiments", search_experiments),
      json_route(kPost, "/experiments/search", kRead, "Search experiments", search_experiments),
      json_route(kPost, "/experiments/update", kWrite, "Rename an experiment", update_experiment),
      json_route(
          kPost,
          "/experiments/delete",
          kWrite,
          "Delete an experiment, restorably",
          remove_experiment
      ),
      json_route(
          kPost, "/experiments/restore", kWrite, "Restore an experiment", restore_experiment
      ),
      json_route(
          kPost,
          "/experiments/set-experiment-tag",
          kWrite,
          "Set an experiment's tag",
          set_experiment_tag
      ),
      json_route(
          kPost,
          "/experiments/delete-experiment-tag",
          kWrite,
          "Delete an experiment's tag",
          delete_experiment_tag
      ),
  };
}

}  // namespace cortex::frontend::mlflow
