// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include "base/clock.h"
#include "frontend/codec/mlflow/tracking_reply.h"
#include "frontend/codec/mlflow/tracking_request.h"
#include "frontend/codec/mlflow/tracking_routes.h"
#include "tracking/logged_models.h"
#include "tracking/search.h"

namespace cortex::frontend::mlflow {
namespace {

using store::Transaction;

// Each comes with its metrics; a longer page is answered by this many and a token.
constexpr std::size_t kPageLimit = 1000;

void reply_model(std::string& body, const tracking::LoggedModel& model) {
  JsonWriter writer(body);
  writer.open_object();
  write_logged_model(writer, "model", model);
  writer.close_object();
}

Plan model_plan(Plan::Kind kind, std::function<Result<tracking::LoggedModel>(Transaction&)> find) {
  Plan plan;
  plan.kind = kind;
  plan.work = [find = std::move(find)](Transaction& transaction, std::string& body) -> Status {
    CORTEX_ASSIGN_OR_RETURN(const tracking::LoggedModel model, find(transaction));
    reply_model(body, model);
    return {};
  };
  return plan;
}

Result<Plan> create_logged_model(const Context&, const Call& call) {
  tracking::NewLoggedModel model;
  CORTEX_ASSIGN_OR_RETURN(model.experiment, read_experiment_id(call.fields, true));
  model.name = call.fields.text("name");
  model.model_type = call.fields.text("model_type");
  model.source_run_id = call.fields.text("source_run_id");
  model.creator = call.http.principal.key;
  model.params = read_pairs(call.fields, "params");
  model.tags = read_pairs(call.fields, "tags");
  return model_plan(
      Plan::Kind::kWrite,
      [model = std::move(model), workspace = call.workspace, now = unix_milliseconds()](
          Transaction& transaction
      ) { return tracking::create_logged_model(transaction, workspace, model, now); }
  );
}

Result<Plan> get_logged_model(const Context&, const Call& call) {
  return model_plan(
      Plan::Kind::kRead,
      [id = call.path_value(0),
       deleted_too = call.fields.flag("allow_deleted").value_or(false),
       workspace = call.workspace](Transaction& transaction) {
        return tracking::find_logged_model(transaction, workspace, id, deleted_too);
      }
  );
}

Result<Plan> finalize_logged_model(const Context&, const Call& call) {
  static constexpr std::array<std::string_view, 3> kStatuses = {
      "LOGGED_MODEL_PENDING", "LOGGED_MODEL_READY", "LOGGED_MODEL_UPLOAD_FAILED"
  };
  const auto status = call.fields.choice("status", kStatuses);
  if (!status) call.fields.refuse(missing_parameter("status"));
  CORTEX_RETURN_IF_ERROR(call.fields.status());
  return model_plan(
      Plan::Kind::kWrite,
      [id = call.path_value(0),
       status = static_cast<tracking::ModelStatus>(*status),
       workspace = call.workspace,
       now = unix_milliseconds()](Transaction& transaction) {
        return tracking::finalize_logged_model(transaction, workspace, id, status, now);
      }
  );
}

Result<Plan> remove_logged_model(const Context&, const Call& call) {
  return Plan::write([id = call.path_value(0),
                      workspace = call.workspace,
                      now = unix_milliseconds()](Transaction& transaction, std::string&) {
    return tracking::delete_logged_model(transaction, workspace, id, now);
  });
}

Result<Plan> set_logged_model_tags(const Context&, const Call& call) {
  return Plan::write([id = call.path_value(0),
                      tags = read_pairs(call.fields, "tags"),
                      workspace = call.workspace](Transaction& transaction, std::string&) {
    return tracking::set_logged_model_tags(transaction, workspace, id, tags);
  });
}

Result<Plan> delete_logged_model_tag(const Context&, const Call& call) {
  return Plan::write([id = call.path_value(0),
                      key = call.path_value(1),
                      workspace = call.workspace](Transaction& transaction, std::string&) {
    return tracking::delete_logged_model_tag(transaction, workspace, id, key);
  });
}

Result<Plan> log_logged_model_params(const Context&, const Call& call) {
  return Plan::write([id = call.path_value(0),
                      params = read_pairs(call.fields, "params"),
                      workspace = call.workspace](Transaction& transaction, std::string&) {
    return tracking::log_logged_model_params(transaction, workspace, id, params);
  });
}

Result<tracking::LoggedModelQuery> read_query(const Fields& fields) {
  tracking::LoggedModelQuery query;
  CORTEX_ASSIGN_OR_RETURN(query.experiments, read_experiment_ids(fields));
  query.filter = fields.text("filter");
  query.page_token = fields.text("page_token");
  for_each_message(fields, "datasets", [&](const Fields& dataset) {
    query.datasets.push_back({dataset.text("dataset_name"), dataset.text("dataset_digest")});
  });
  for_each_message(fields, "order_by", [&](const Fields& order) {
    query.order_by.push_back(
        {order.required_text("field_name"),
         order.flag("ascending").value_or(true),
         order.text("dataset_name"),
         order.text("dataset_digest")}
    );
  });
  const auto asked = fields.integer("max_results");
  if (asked && *asked > 0) {
    query.limit = std::min(kPageLimit, static_cast<std::size_t>(*asked));
  }
  return query;
}

Result<Plan> search_logged_models(const Context&, const Call& call) {
  if (call.fields.count("experiment_ids") == 0) {
    call.fields.refuse(missing_parameter("experiment_ids"));
  }
  CORTEX_RETURN_IF_ERROR(call.fields.status());
  CORTEX_ASSIGN_OR_RETURN(tracking::LoggedModelQuery query, read_query(call.fields));
  return Plan::read(
      [query = std::move(query),
       workspace = call.workspace](Transaction& transaction, std::string& body) -> Status {
        CORTEX_ASSIGN_OR_RETURN(
            const tracking::LoggedModelPage page,
            tracking::search_logged_models(transaction, workspace, query)
        );
        JsonWriter writer(body);
        writer.open_object();
        writer.open_list("models");
        for (const tracking::LoggedModel& model : page.models) {
          write_logged_model(writer, {}, model);
        }
        writer.close_list();
        writer.text_if("next_page_token", page.next_page_token);
        writer.close_object();
        return {};
      }
  );
}

}  // namespace

std::vector<MlflowRoute> logged_model_routes() {
  constexpr Scope kWrite = Scope::kAdmin;
  constexpr std::string_view kModel = "/logged-models/{model_id}";
  return {
      json_route(
          Method::kPost, "/logged-models", kWrite, "Create a logged model", create_logged_model
      ),
      json_route(
          Method::kPost,
          "/logged-models/search",
          Scope::kRead,
          "Search logged models",
          search_logged_models
      ),
      json_route(Method::kGet, kModel, Scope::kRead, "A logged model", get_logged_model),
      json_route(Method::kPatch, kModel, kWrite, "Finish a logged model", finalize_logged_model),
      json_route(Method::kDelete, kModel, kWrite, "Delete a logged model", remove_logged_model),
      json_route(
          Method::kPatch,
          "/logged-models/{model_id}/tags",
          kWrite,
          "Set tags of a logged model",
          set_logged_model_tags
      ),
      json_route(
          Method::kDelete,
          "/logged-models/{model_id}/tags/{tag_key}",
          kWrite,
          "Delete a tag of a logged model",
          delete_logged_model_tag
      ),
      json_route(
          Method::kPost,
          "/logged-models/{model_id}/params",
          kWrite,
          "Log params of a logged model",
          log_logged_model_params
      ),
  };
}

}  // namespace cortex::frontend::mlflow
