// SPDX-License-Identifier: Apache-2.0
#include <optional>
#include <string>
#include <utility>

#include <boost/json.hpp>

#include "frontend/codec/registry/documents.h"
#include "frontend/codec/registry/registry_request.h"
#include "frontend/codec/registry/registry_route.h"
#include "registry/catalog/catalog_search.h"
#include "registry/catalog/registered_model.h"

namespace cortex::frontend::registry_api {
namespace {

namespace json = boost::json;
using registry::Authorship;
using registry::RegisteredModel;
using store::Transaction;

Result<Plan> list_models(const Call& call) {
  return Plan::read(
      [query = read_catalog_query(call.query),
       workspace = call.author.workspace](Transaction& transaction, Answer& answer) -> Status {
        CORTEX_ASSIGN_OR_RETURN(
            const auto page, registry::search_models(transaction, workspace, query)
        );
        json::array models;
        for (const RegisteredModel& model : page.items) models.push_back(to_json(model));
        say(answer, {{"models", std::move(models)}, {"next_page_token", page.next_page_token}});
        return {};
      }
  );
}

Result<Plan> create_model(const Call& call) {
  registry::NewModel wanted;
  wanted.name = call.fields.required_text("name");
  wanted.description = call.fields.text("description");
  wanted.tags = call.fields.texts("tags");
  return Plan::write(
      [wanted = std::move(wanted),
       author = call.author,
       precondition = call.precondition](Transaction& transaction, Answer& answer) -> Status {
        CORTEX_RETURN_IF_ERROR(check_tag(precondition, std::nullopt, answer));
        CORTEX_ASSIGN_OR_RETURN(
            const RegisteredModel made, registry::create_model(transaction, author, wanted)
        );
        answer.status = 201;
        answer.location = model_path(made.name);
        say_entity(answer, to_json(made));
        return {};
      }
  );
}

Result<Plan> get_model(const Call& call) {
  return Plan::read(
      [name = call.path_value(0),
       workspace = call.author.workspace,
       precondition = call.precondition](Transaction& transaction, Answer& answer) -> Status {
        CORTEX_ASSIGN_OR_RETURN(
            const RegisteredModel model, registry::find_model(transaction, workspace, name)
        );
        say_entity(answer, to_json(model));
        return answer_known(precondition, answer);
      }
  );
}

// What of a model can be changed in place.
struct ModelChange {
  std::optional<std::string> name;
  std::optional<std::string> description;
};

Result<RegisteredModel> apply(
    Transaction& transaction, const Authorship& author, std::string name, const ModelChange& change
) {
  if (change.description) {
    CORTEX_RETURN_IF_ERROR(
        registry::describe_model(transaction, author, name, *change.description).status()
    );
  }
  if (change.name && *change.name != name) {
    return registry::rename_model(transaction, author, name, *change.name);
  }
  return registry::find_model(transaction, author.workspace, name);
}

Status check_model(
    Transaction& transaction,
    const std::string& workspace,
    const std::string& name,
    const Precondition& precondition,
    Answer& answer
) {
  if (!precondition.asked()) return {};
  CORTEX_ASSIGN_OR_RETURN(
      const RegisteredModel model, registry::find_model(transaction, workspace, name)
  );
  return check_entity(precondition, to_json(model), answer);
}

Result<Plan> change_model(const Call& call) {
  const ModelChange wanted{call.fields.text_if("name"), call.fields.text_if("description")};
  return Plan::write(
      [name = call.path_value(0), wanted, author = call.author, precondition = call.precondition](
          Transaction& transaction, Answer& answer
      ) -> Status {
        CORTEX_RETURN_IF_ERROR(
            check_model(transaction, author.workspace, name, precondition, answer)
        );
        CORTEX_ASSIGN_OR_RETURN(
            const RegisteredModel model, apply(transaction, author, name, wanted)
        );
        if (model.name != name) answer.location = model_path(model.name);
        say_entity(answer, to_json(model));
        return {};
      }
  );
}

Result<Plan> remove_model(const Call& call) {
  return Plan::write(
      [name = call.path_value(0),
       author = call.author,
       precondition = call.precondition](Transaction& transaction, Answer& answer) -> Status {
        CORTEX_RETURN_IF_ERROR(
            check_model(transaction, author.workspace, name, precondition, answer)
        );
        CORTEX_RETURN_IF_ERROR(registry::delete_model(transaction, author, name));
        answer.status = 204;
        return {};
      }
  );
}

Result<Plan> put_model_tag(const Call& call) {
  return Plan::write(
      [name = call.path_value(0),
       key = call.path_value(1),
       value = call.fields.text("value"),
       author = call.author,
       precondition = call.precondition](Transaction& transaction, Answer& answer) -> Status {
        CORTEX_RETURN_IF_ERROR(
            check_model(transaction, author.workspace, name, precondition, answer)
        );
        answer.status = 204;
        return registry::set_model_tag(transaction, author, name, key, value);
      }
  );
}

Result<Plan> delete_model_tag(const Call& call) {
  return Plan::write(
      [name = call.path_value(0),
       key = call.path_value(1),
       author = call.author,
       precondition = call.precondition](Transaction& transaction, Answer& answer) -> Status {
        CORTEX_RETURN_IF_ERROR(
            check_model(transaction, author.workspace, name, precondition, answer)
        );
        answer.status = 204;
        return registry::delete_model_tag(transaction, author, name, key);
      }
  );
}

}  // namespace

std::vector<RegistryRoute> model_routes() {
  constexpr std::string_view kAll = "/registry/models";
  constexpr std::string_view kOne = "/registry/models/{model}";
  constexpr std::string_view kTag = "/registry/models/{model}/tags/{key}";
  return {
      {Method::kGet,
       kAll,
       "Search models",
       "",
       "RegistryModelPage",
       200,
       page_parameters(),
       list_models},
      {Method::kPost,
       kAll,
       "Register a model",
       "RegistryNewModel",
       "RegistryModel",
       201,
       replay_parameters(),
       create_model},
      {Method::kGet, kOne, "A model", "", "RegistryModel", 200, known_parameters(), get_model},
      {Method::kPatch,
       kOne,
       "Describe or rename a model",
       "RegistryModelChange",
       "RegistryModel",
       200,
       change_parameters(),
       change_model},
      {Method::kDelete,
       kOne,
       "Delete a model with its versions and aliases",
       "",
       "",
       204,
       change_parameters(),
       remove_model},
      {Method::kPut,
       kTag,
       "Set a tag of a model",
       "RegistryTagValue",
       "",
       204,
       change_parameters(),
       put_model_tag},
      {Method::kDelete,
       kTag,
       "Delete a tag of a model",
       "",
       "",
       204,
       change_parameters(),
       delete_model_tag},
  };
}

}  // namespace cortex::frontend::registry_api
