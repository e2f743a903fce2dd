// SPDX-License-Identifier: Apache-2.0
#include <optional>
#include <string>
#include <utility>

#include <boost/json.hpp>

#include "frontend/codec/registry/documents.h"
#include "frontend/codec/registry/registry_request.h"
#include "frontend/codec/registry/registry_route.h"
#include "registry/catalog/catalog_search.h"
#include "registry/catalog/lineage.h"
#include "registry/catalog/model_version.h"
#include "registry/catalog/version_source.h"
#include "tracking/artifact_places.h"

namespace cortex::frontend::registry_api {
namespace {

namespace json = boost::json;
using registry::ModelVersion;
using store::Transaction;

constexpr std::string_view kNewestFirst = "version_number DESC";

Result<Plan> list_versions(const Call& call) {
  registry::CatalogQuery query = read_catalog_query(call.query);
  query.model = call.path_value(0);
  if (query.order_by.empty()) query.order_by.emplace_back(kNewestFirst);
  return Plan::read(
      [query = std::move(query),
       workspace = call.author.workspace](Transaction& transaction, Answer& answer) -> Status {
        CORTEX_RETURN_IF_ERROR(registry::find_model(transaction, workspace, query.model).status());
        CORTEX_ASSIGN_OR_RETURN(
            const auto page, registry::search_versions(transaction, workspace, query)
        );
        json::array versions;
        for (const ModelVersion& version : page.items) versions.push_back(to_json(version));
        say(answer, {{"versions", std::move(versions)}, {"next_page_token", page.next_page_token}});
        return {};
      }
  );
}

// semantic_version: exactly this one; increment: the one behind the greatest.
void read_semantic(const Fields& fields, registry::NewVersion& wanted) {
  const auto text = fields.text_if("semantic_version");
  const auto increment = fields.text_if("increment");
  if (text && increment) fields.refuse("increment", "not beside semantic_version");
  if (text) {
    const auto version = registry::parse_semantic_version(*text);
    if (!version.ok()) return fields.refuse("semantic_version", version.status().text());
    wanted.semantic = *version;
  }
  if (!increment) return;
  if (*increment == "major") {
    wanted.semantic = registry::Increment::kMajor;
  } else if (*increment == "minor") {
    wanted.semantic = registry::Increment::kMinor;
  } else if (*increment == "patch") {
    wanted.semantic = registry::Increment::kPatch;
  } else {
    fields.refuse("increment", "must be major, minor or patch");
  }
}

registry::NewVersion read_new_version(const Call& call) {
  const Fields& fields = call.fields;
  registry::NewVersion wanted;
  wanted.model = call.path_value(0);
  wanted.source = fields.required_text("source");
  wanted.run_link = fields.text("run_link");
  wanted.description = fields.text("description");
  wanted.tags = fields.texts("tags");
  read_semantic(fields, wanted);
  wanted.baseline = read_baseline(fields, wanted.model);
  return wanted;
}

Result<Plan> create_version(const Call& call) {
  return Plan::write(
      [wanted = read_new_version(call),
       datasets = read_datasets(call.fields),
       author = call.author,
       precondition = call.precondition](Transaction& transaction, Answer& answer) -> Status {
        CORTEX_RETURN_IF_ERROR(check_tag(precondition, std::nullopt, answer));
        registry::NewVersion version = wanted;
        CORTEX_ASSIGN_OR_RETURN(
            registry::ResolvedSource resolved,
            registry::resolve_source(
                transaction, tracking::artifact_locations(), author.workspace, wanted.source
            )
        );
        version.location = std::move(resolved.location);
        version.run = std::move(resolved.run);
        version.logged_model = std::move(resolved.logged_model);
        CORTEX_ASSIGN_OR_RETURN(
            const ModelVersion made, registry::create_version(transaction, author, version)
        );
        if (!datasets.empty()) {
          CORTEX_RETURN_IF_ERROR(
              registry::add_version_datasets(transaction, author, made.id, datasets)
          );
        }
        answer.status = 201;
        answer.location = version_path(made.id);
        say_entity(answer, to_json(made));
        return {};
      }
  );
}

Result<Plan> get_version(const Call& call) {
  return Plan::read(
      [model = call.path_value(0),
       name = call.path_value(1),
       workspace = call.author.workspace,
       precondition = call.precondition](Transaction& transaction, Answer& answer) -> Status {
        CORTEX_ASSIGN_OR_RETURN(
            const ModelVersion version, find_named_version(transaction, workspace, model, name)
        );
        say_entity(answer, to_json(version));
        return answer_known(precondition, answer);
      }
  );
}

Result<Plan> describe_version(const Call& call) {
  const auto description = call.fields.text_if("description");
  if (!description) call.fields.refuse("description", "is missing");
  return change_version(
      call,
      [description = description.value_or("")](
          Transaction& transaction,
          const registry::Authorship& author,
          const registry::VersionId& id
      ) { return registry::describe_version(transaction, author, id, description); }
  );
}

Result<Plan> remove_version(const Call& call) {
  return touch_version(
      call,
      [](Transaction& transaction, const registry::Authorship& author, const registry::VersionId& id
      ) { return registry::delete_version(transaction, author, id); }
  );
}

Result<Plan> version_lineage(const Call& call) {
  return Plan::read(
      [model = call.path_value(0),
       name = call.path_value(1),
       workspace = call.author.workspace](Transaction& transaction, Answer& answer) -> Status {
        CORTEX_ASSIGN_OR_RETURN(
            const ModelVersion version, find_named_version(transaction, workspace, model, name)
        );
        CORTEX_ASSIGN_OR_RETURN(
            const auto links, registry::find_lineage(transaction, workspace, version.id)
        );
        json::array chain;
        for (const registry::LineageLink& link : links) chain.push_back(to_json(link));
        say(answer, {{"chain", std::move(chain)}});
        return {};
      }
  );
}

}  // namespace

std::vector<RegistryRoute> version_routes() {
  constexpr std::string_view kAll = "/registry/models/{model}/versions";
  constexpr std::string_view kOne = "/registry/models/{model}/versions/{version}";
  return {
      {Method::kGet,
       kAll,
       "Search the versions of a model",
       "",
       "RegistryVersionPage",
       200,
       page_parameters(),
       list_versions},
      {Method::kPost,
       kAll,
       "Make a version of a model",
       "RegistryNewVersion",
       "RegistryVersion",
       201,
       replay_parameters(),
       create_version},
      {Method::kGet, kOne, "A version", "", "RegistryVersion", 200, known_parameters(), get_version
      },
      {Method::kPatch,
       kOne,
       "Describe a version",
       "RegistryVersionChange",
       "RegistryVersion",
       200,
       change_parameters(),
       describe_version},
      {Method::kDelete,
       kOne,
       "Delete a version; its number stays taken",
       "",
       "",
       204,
       change_parameters(),
       remove_version},
      {Method::kGet,
       "/registry/models/{model}/versions/{version}/lineage",
       "Runs, data sets and baselines that led to a version",
       "",
       "RegistryLineage",
       200,
       {},
       version_lineage},
  };
}

}  // namespace cortex::frontend::registry_api
