// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <string>
#include <utility>

#include "base/clock.h"
#include "frontend/codec/mlflow/model_history.h"
#include "frontend/codec/mlflow/tracking_reply.h"
#include "frontend/codec/mlflow/tracking_request.h"
#include "frontend/codec/mlflow/tracking_routes.h"
#include "tracking/runs.h"
#include "tracking/search.h"

namespace cortex::frontend::mlflow {
namespace {

using store::Transaction;

// Datasets come with their profile, models with their whole description.
constexpr std::size_t kInputsBytesLimit = std::size_t{20} << 20;
constexpr std::size_t kModelBytesLimit = std::size_t{4} << 20;

void reply_run(std::string& body, const tracking::Run& run) {
  JsonWriter writer(body);
  writer.open_object();
  write_run(writer, "run", run);
  writer.close_object();
}

Result<Plan> create_run(const Context&, const Call& call) {
  tracking::NewRun run;
  CORTEX_ASSIGN_OR_RETURN(run.experiment, read_experiment_id(call.fields, false));
  run.name = call.fields.text("run_name");
  run.user_id = call.fields.text("user_id");
  run.start_time = call.fields.integer("start_time").value_or(0);
  run.tags = read_pairs(call.fields, "tags");
  return Plan::write(
      [run = std::move(run),
       workspace = call.workspace](Transaction& transaction, std::string& body) -> Status {
        CORTEX_ASSIGN_OR_RETURN(
            const tracking::Run made, tracking::create_run(transaction, workspace, run)
        );
        reply_run(body, made);
        return {};
      }
  );
}

Result<Plan> get_run(const Context&, const Call& call) {
  return Plan::read(
      [run_id = read_run_id(call.fields),
       workspace = call.workspace](Transaction& transaction, std::string& body) -> Status {
        CORTEX_ASSIGN_OR_RETURN(
            const tracking::Run run, tracking::find_run(transaction, workspace, run_id)
        );
        reply_run(body, run);
        return {};
      }
  );
}

Result<Plan> update_run(const Context&, const Call& call) {
  static constexpr std::array<std::string_view, 5> kStatuses = {
      "RUNNING", "SCHEDULED", "FINISHED", "FAILED", "KILLED"
  };
  tracking::RunUpdate update;
  if (const auto status = call.fields.choice("status", kStatuses)) {
    update.status = static_cast<tracking::RunStatus>(*status);
  }
  update.end_time = call.fields.integer("end_time");
  update.name = call.fields.text("run_name");
  return Plan::write(
      [update = std::move(update),
       run_id = read_run_id(call.fields),
       workspace = call.workspace](Transaction& transaction, std::string& body) -> Status {
        CORTEX_ASSIGN_OR_RETURN(
            const tracking::RunInfo info,
            tracking::update_run(transaction, workspace, run_id, update)
        );
        JsonWriter writer(body);
        writer.open_object();
        write_run_info(writer, "run_info", info);
        writer.close_object();
        return {};
      }
  );
}

Plan set_run_active(const Call& call, bool active) {
  return Plan::write([active,
                      run_id = read_run_id(call.fields),
                      workspace = call.workspace,
                      now = unix_milliseconds()](Transaction& transaction, std::string&) {
    return tracking::set_run_active(transaction, workspace, run_id, active, now);
  });
}

Result<Plan> remove_run(const Context&, const Call& call) { return set_run_active(call, false); }
Result<Plan> restore_run(const Context&, const Call& call) { return set_run_active(call, true); }

Result<Plan> log(const Context& context, const Call& call, tracking::LogBatch batch) {
  std::string run_id = read_run_id(call.fields);
  CORTEX_RETURN_IF_ERROR(call.fields.status());
  CORTEX_RETURN_IF_ERROR(tracking::check_batch(batch));
  return Plan::write(
      [batch = std::move(batch),
       run_id = std::move(run_id),
       workspace = call.workspace](Transaction& transaction, std::string&) {
        return tracking::log_batch(transaction, workspace, run_id, batch);
      },
      context.options.log_durability
  );
}

Result<Plan> log_metric(const Context& context, const Call& call) {
  tracking::LogBatch batch;
  batch.single = true;
  batch.metrics.push_back(read_metric(call.fields));
  return log(context, call, std::move(batch));
}

Result<Plan> log_param(const Context& context, const Call& call) {
  tracking::LogBatch batch;
  batch.single = true;
  batch.params.push_back({call.fields.required_text("key"), call.fields.text("value")});
  return log(context, call, std::move(batch));
}

Result<Plan> set_run_tag(const Context& context, const Call& call) {
  tracking::LogBatch batch;
  batch.single = true;
  batch.tags.push_back({call.fields.required_text("key"), call.fields.text("value")});
  return log(context, call, std::move(batch));
}

Result<Plan> log_batch(const Context& context, const Call& call) {
  tracking::LogBatch batch;
  batch.metrics.reserve(call.fields.count("metrics"));
  for_each_message(call.fields, "metrics", [&](const Fields& metric) {
    batch.metrics.push_back(read_metric(metric));
  });
  batch.params = read_pairs(call.fields, "params");
  batch.tags = read_pairs(call.fields, "tags");
  return log(context, call, std::move(batch));
}

Result<Plan> delete_run_tag(const Context&, const Call& call) {
  return Plan::write([run_id = read_run_id(call.fields),
                      key = call.fields.required_text("key"),
                      workspace = call.workspace](Transaction& transaction, std::string&) {
    return tracking::delete_run_tag(transaction, workspace, run_id, key);
  });
}

tracking::DatasetInput read_dataset(const Fields& fields) {
  tracking::DatasetInput input;
  input.tags = read_pairs(fields, "tags");
  const Fields dataset = fields.message("dataset");
  input.dataset.name = dataset.required_text("name");
  input.dataset.digest = dataset.required_text("digest");
  input.dataset.source_type = dataset.text("source_type");
  input.dataset.source = dataset.text("source");
  input.dataset.schema = dataset.text("schema");
  input.dataset.profile = dataset.text("profile");
  return input;
}

Result<Plan> log_inputs(const Context&, const Call& call) {
  tracking::RunInputs inputs;
  for_each_message(call.fields, "datasets", [&](const Fields& dataset) {
    inputs.datasets.push_back(read_dataset(dataset));
  });
  for_each_message(call.fields, "models", [&](const Fields& model) {
    inputs.models.push_back(model.required_text("model_id"));
  });
  return Plan::write([inputs = std::move(inputs),
                      run_id = read_run_id(call.fields),
                      workspace = call.workspace](Transaction& transaction, std::string&) {
    return tracking::log_inputs(transaction, workspace, run_id, inputs);
  });
}

Result<Plan> log_outputs(const Context&, const Call& call) {
  if (!call.fields.has("models")) call.fields.refuse(missing_parameter("models"));
  std::vector<tracking::ModelOutput> outputs;
  for_each_message(call.fields, "models", [&](const Fields& model) {
    outputs.push_back({model.required_text("model_id"), model.integer("step").value_or(0)});
  });
  return Plan::write([outputs = std::move(outputs),
                      run_id = read_run_id(call.fields),
                      workspace = call.workspace](Transaction& transaction, std::string&) {
    return tracking::log_outputs(transaction, workspace, run_id, outputs);
  });
}

Result<Plan> log_model(const Context&, const Call& call) {
  const std::string text = call.fields.required_text("model_json");
  std::string run_id = read_run_id(call.fields);
  CORTEX_RETURN_IF_ERROR(call.fields.status());
  CORTEX_ASSIGN_OR_RETURN(std::string entry, model_history_entry(text));
  return Plan::write([entry = std::move(entry),
                      run_id = std::move(run_id),
                      workspace = call.workspace](Transaction& transaction, std::string&) {
    return tracking::append_model_history(transaction, workspace, run_id, entry);
  });
}

Result<Plan> search_runs(const Context&, const Call& call) {
  tracking::RunQuery query;
  CORTEX_ASSIGN_OR_RETURN(query.experiments, read_experiment_ids(call.fields));
  query.filter = call.fields.text("filter");
  query.order_by = call.fields.texts("order_by");
  query.view = read_view(call.fields, "run_view_type");
  query.page_token = call.fields.text("page_token");
  CORTEX_ASSIGN_OR_RETURN(query.limit, read_page_size(call.fields, query.limit));
  return Plan::read(
      [query = std::move(query),
       workspace = call.workspace](Transaction& transaction, std::string& body) -> Status {
        CORTEX_ASSIGN_OR_RETURN(
            const tracking::RunPage page, tracking::search_runs(transaction, workspace, query)
        );
        JsonWriter writer(body);
        writer.open_object();
        writer.open_list("runs");
        for (const tracking::Run& run : page.runs) write_run(writer, {}, run);
        writer.close_list();
        writer.text_if("next_page_token", page.next_page_token);
        writer.close_object();
        return {};
      }
  );
}

}  // namespace

std::vector<MlflowRoute> run_routes() {
  constexpr Method kPost = Method::kPost;
  constexpr Scope kWrite = Scope::kAdmin;
  std::vector<MlflowRoute> routes{
      json_route(kPost, "/runs/create", kWrite, "Start a run", create_run),
      json_route(Method::kGet, "/runs/get", Scope::kRead, "A run and what it logged", get_run),
      json_route(kPost, "/runs/update", kWrite, "Change a run's status, end or name", update_run),
      json_route(kPost, "/runs/delete", kWrite, "Delete a run, restorably", remove_run),
      json_route(kPost, "/runs/restore", kWrite, "Restore a run", restore_run),
      json_route(kPost, "/runs/log-metric", kWrite, "Log one value of a metric", log_metric),
      json_route(kPost, "/runs/log-parameter", kWrite, "Log a param", log_param),
      json_route(kPost, "/runs/set-tag", kWrite, "Set a run's tag", set_run_tag),
      json_route(kPost, "/runs/delete-tag", kWrite, "Delete a run's tag", delete_run_tag),
      json_route(kPost, "/runs/log-batch", kWrite, "Log metrics, params and tags", log_batch),
      json_route(kPost, "/runs/outputs", kWrite, "Log the models a run made", log_outputs),
      json_route(kPost, "/runs/search", Scope::kRead, "Search runs", search_runs),
  };
  routes.push_back(
      json_route(kPost, "/runs/log-inputs", kWrite, "Log the datasets a run used", log_inputs)
  );
  routes.back().body_bytes_limit = kInputsBytesLimit;
  routes.push_back(
      json_route(kPost, "/runs/log-model", kWrite, "Log a model's description", log_model)
  );
  routes.back().body_bytes_limit = kModelBytesLimit;
  return routes;
}

}  // namespace cortex::frontend::mlflow
