// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <string>
#include <utility>

#include "frontend/codec/mlflow/registry_reply.h"
#include "frontend/codec/mlflow/registry_request.h"
#include "frontend/codec/mlflow/registry_routes.h"
#include "registry/catalog/registered_model.h"

namespace cortex::frontend::mlflow {
namespace {

using registry::ModelVersion;
using registry::RegisteredModel;
using store::Transaction;

constexpr std::size_t kModelPageStandard = 100;
constexpr std::size_t kModelPageMax = 1000;

// The versions of one model out of those of many, which are in the order of the models' names.
std::span<const ModelVersion> versions_of(
    std::span<const ModelVersion> versions, const std::string& model
) {
  const auto name = [](const ModelVersion& version) -> const std::string& {
    return version.id.model;
  };
  return std::ranges::equal_range(versions, model, {}, name);
}

Status write_models(
    Transaction& transaction,
    const std::string& workspace,
    std::span<const RegisteredModel> models,
    JsonWriter& writer,
    std::string_view key
) {
  CORTEX_ASSIGN_OR_RETURN(
      const std::vector<ModelVersion> latest,
      registry::find_latest_versions(transaction, workspace, models)
  );
  for (const RegisteredModel& model : models) {
    write_registered_model(writer, key, model, versions_of(latest, model.name));
  }
  return {};
}

Status reply_model(
    Transaction& transaction,
    const std::string& workspace,
    const RegisteredModel& model,
    std::string& body
) {
  JsonWriter writer(body);
  writer.open_object();
  CORTEX_RETURN_IF_ERROR(
      write_models(transaction, workspace, std::span(&model, 1), writer, "registered_model")
  );
  writer.close_object();
  return {};
}

// A name that a prompt holds is told from one that a model holds.
Status explain_conflict(
    Transaction& transaction, const registry::NewModel& wanted, const std::string& workspace
) {
  CORTEX_ASSIGN_OR_RETURN(
      const RegisteredModel standing, registry::find_model(transaction, workspace, wanted.name)
  );
  const bool old_prompt = is_prompt(standing.tags);
  const bool new_prompt = is_prompt(wanted.tags);
  const std::string wanted_kind = new_prompt ? "Prompt" : "Registered Model";
  if (old_prompt == new_prompt) {
    return already_exists(wanted_kind + " (name=" + wanted.name + ") already exists.");
  }
  return already_exists(
      std::string("Tried to create a ") + (new_prompt ? "prompt" : "registered model") +
      " with name '" + wanted.name + "', but the name is already taken by a " +
      (old_prompt ? "prompt" : "registered model") +
      ". A model and a prompt cannot have the same name."
  );
}

Result<Plan> create_registered_model(const Context&, const Call& call) {
  registry::NewModel wanted;
  wanted.name = call.fields.required_text("name");
  wanted.description = call.fields.text("description");
  wanted.tags = read_tags(call.fields);
  return Plan::write(
      [wanted = std::move(wanted),
       author = read_author(call)](Transaction& transaction, std::string& body) -> Status {
        const auto made = registry::create_model(transaction, author, wanted);
        if (made.status().code() == Code::kAlreadyExists) {
          return explain_conflict(transaction, wanted, author.workspace);
        }
        CORTEX_RETURN_IF_ERROR(made.status());
        return reply_model(transaction, author.workspace, *made, body);
      }
  );
}

Result<Plan> get_registered_model(const Context&, const Call& call) {
  return Plan::read(
      [name = call.fields.required_text("name"),
       workspace = call.workspace](Transaction& transaction, std::string& body) -> Status {
        CORTEX_ASSIGN_OR_RETURN(
            const RegisteredModel model, registry::find_model(transaction, workspace, name)
        );
        return reply_model(transaction, workspace, model, body);
      }
  );
}

Result<Plan> update_registered_model(const Context&, const Call& call) {
  return Plan::write(
      [name = call.fields.required_text("name"),
       description = call.fields.text("description"),
       author = read_author(call)](Transaction& transaction, std::string& body) -> Status {
        CORTEX_ASSIGN_OR_RETURN(
            const RegisteredModel model,
            registry::describe_model(transaction, author, name, description)
        );
        return reply_model(transaction, author.workspace, model, body);
      }
  );
}

Result<Plan> rename_registered_model(const Context&, const Call& call) {
  return Plan::write(
      [name = call.fields.required_text("name"),
       new_name = call.fields.required_text("new_name"),
       author = read_author(call)](Transaction& transaction, std::string& body) -> Status {
        CORTEX_ASSIGN_OR_RETURN(
            const RegisteredModel model, registry::rename_model(transaction, author, name, new_name)
        );
        return reply_model(transaction, author.workspace, model, body);
      }
  );
}

Result<Plan> remove_registered_model(const Context&, const Call& call) {
  return Plan::write([name = call.fields.required_text("name"),
                      author = read_author(call)](Transaction& transaction, std::string&) {
    return registry::delete_model(transaction, author, name);
  });
}

Result<Plan> search_registered_models(const Context&, const Call& call) {
  CORTEX_ASSIGN_OR_RETURN(
      registry::CatalogQuery query, read_query(call.fields, kModelPageStandard, kModelPageMax)
  );
  return Plan::read(
      [query = std::move(query),
       workspace = call.workspace](Transaction& transaction, std::string& body) -> Status {
        CORTEX_ASSIGN_OR_RETURN(
            const auto page, registry::search_models(transaction, workspace, query)
        );
        JsonWriter writer(body);
        writer.open_object();
        writer.open_list("registered_models");
        CORTEX_RETURN_IF_ERROR(write_models(transaction, workspace, page.items, writer, {}));
        writer.close_list();
        writer.text_if("next_page_token", page.next_page_token);
        writer.close_object();
        return {};
      }
  );
}

Result<Plan> latest_versions(const Context&, const Call& call) {
  std::vector<registry::LifecycleStage> stages;
  for (const std::string& text : call.fields.texts("stages")) {
    CORTEX_ASSIGN_OR_RETURN(const registry::LifecycleStage stage, registry::parse_stage(text));
    stages.push_back(stage);
  }
  return Plan::read(
      [name = call.fields.required_text("name"),
       stages = std::move(stages),
       workspace = call.workspace](Transaction& transaction, std::string& body) -> Status {
        CORTEX_ASSIGN_OR_RETURN(
            const std::vector<ModelVersion> latest,
            registry::find_latest_versions(transaction, workspace, name, stages)
        );
        reply_model_versions(body, latest, {});
        return {};
      }
  );
}

Result<Plan> set_registered_model_tag(const Context&, const Call& call) {
  return Plan::write([name = call.fields.required_text("name"),
                      key = call.fields.required_text("key"),
                      value = call.fields.text("value"),
                      author = read_author(call)](Transaction& transaction, std::string&) {
    return registry::set_model_tag(transaction, author, name, key, value);
  });
}

Result<Plan> delete_registered_model_tag(const Context&, const Call& call) {
  return Plan::write([name = call.fields.required_text("name"),
                      key = call.fields.required_text("key"),
                      author = read_author(call)](Transaction& transaction, std::string&) {
    return registry::delete_model_tag(transaction, author, name, key);
  });
}

}  // namespace

std::vector<MlflowRoute> registered_model_routes() {
  constexpr Method kGet = Method::kGet;
  constexpr Method kPost = Method::kPost;
  constexpr Method kDelete = Method::kDelete;
  constexpr Scope kRead = Scope::kRead;
  constexpr Scope kWrite = Scope::kAdmin;
  return {
      json_route(
          kPost, "/registered-models/create", kWrite, "Register a model", create_registered_model
      ),
      json_route(
          kGet, "/registered-models/get", kRead, "A model by its name", get_registered_model
      ),
      json_route(
          Method::kPatch,
          "/registered-models/update",
          kWrite,
          "Describe a model",
          update_registered_model
      ),
      json_route(
          kPost, "/registered-models/rename", kWrite, "Rename a model", rename_registered_model
      ),
      json_route(
          kDelete, "/registered-models/delete", kWrite, "Delete a model", remove_registered_model
      ),
      json_route(
          kGet, "/registered-models/search", kRead, "Search models", search_registered_models
      ),
      json_route(
          kPost,
          "/registered-models/get-latest-versions",
          kRead,
          "The newest version in each stage",
          latest_versions
      ),
      json_route(
          kGet,
          "/registered-models/get-latest-versions",
          kRead,
          "The newest version in each stage",
          latest_versions
      ),
      json_route(
          kPost, "/registered-models/set-tag", kWrite, "Set a model's tag", set_registered_model_tag
      ),
      json_route(
          kDelete,
          "/registered-models/delete-tag",
          kWrite,
          "Delete a model's tag",
          delete_registered_model_tag
      ),
  };
}

}  // namespace cortex::frontend::mlflow
