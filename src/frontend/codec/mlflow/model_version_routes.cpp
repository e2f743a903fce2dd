// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <string>
#include <utility>

#include "frontend/codec/mlflow/registry_reply.h"
#include "frontend/codec/mlflow/registry_request.h"
#include "frontend/codec/mlflow/registry_routes.h"
#include "registry/catalog/model_version.h"
#include "registry/catalog/version_source.h"
#include "tracking/artifact_places.h"

namespace cortex::frontend::mlflow {
namespace {

using registry::ModelVersion;
using registry::VersionId;
using store::Transaction;

constexpr std::size_t kVersionPageMax = 200'000;  // what clients may ask for
constexpr std::size_t kPageHeld = 10'000;         // what they get at once: the rest is another page

Status mismatch(const std::string& source, const std::string& field) {
  return invalid_argument(
      "Invalid model version source: '" + source + "'. The " + field +
      " request parameter must identify the resource that contains the source."
  );
}

// Fills in what the source says, which must not contradict what the client said.
Status resolve(
    Transaction& transaction, const std::string& workspace, registry::NewVersion& wanted
) {
  CORTEX_ASSIGN_OR_RETURN(
      registry::ResolvedSource resolved,
      registry::resolve_source(
          transaction, tracking::artifact_locations(), workspace, wanted.source
      )
  );
  wanted.location = std::move(resolved.location);
  const bool by_run = wanted.source.starts_with("runs:");
  if (by_run && !wanted.run.empty() && wanted.run != resolved.run) {
    return mismatch(wanted.source, "run_id");
  }
  const bool by_model = wanted.source.starts_with("models:/m-");
  if (by_model && !wanted.logged_model.empty() && wanted.logged_model != resolved.logged_model) {
    return mismatch(wanted.source, "model_id");
  }
  if (wanted.run.empty()) wanted.run = std::move(resolved.run);
  if (wanted.logged_model.empty()) wanted.logged_model = std::move(resolved.logged_model);
  return {};
}

// A prompt lives in its tags; its source is a word that stands for none.
Status check_prompt_source(const std::string& source) {
  if (source == "dummy-source" || source == "prompt-template") return {};
  return invalid_argument(
      "Invalid prompt source: '" + source +
      "'. A prompt's source is 'dummy-source' or 'prompt-template'."
  );
}

Result<Plan> create_version(const Context&, const Call& call) {
  registry::NewVersion wanted;
  wanted.model = call.fields.required_text("name");
  wanted.source = call.fields.required_text("source");
  wanted.run = call.fields.text("run_id");
  wanted.run_link = call.fields.text("run_link");
  wanted.logged_model = call.fields.text("model_id");
  wanted.description = call.fields.text("description");
  wanted.tags = read_tags(call.fields);
  const bool prompt = is_prompt(wanted.tags);
  if (prompt) CORTEX_RETURN_IF_ERROR(check_prompt_source(wanted.source));
  return Plan::write(
      [wanted = std::move(wanted),
       prompt,
       author = read_author(call)](Transaction& transaction, std::string& body) -> Status {
        registry::NewVersion version = wanted;
        if (!prompt) {
          CORTEX_RETURN_IF_ERROR(resolve(transaction, author.workspace, version));
        }
        CORTEX_ASSIGN_OR_RETURN(
            const ModelVersion made, registry::create_version(transaction, author, version)
        );
        reply_model_version(body, made);
        return {};
      }
  );
}

// Plans a change of one version, which answers with the version.
template <typename Change>
Plan change_version(const Call& call, VersionId id, Change change) {
  return Plan::write(
      [id = std::move(id),
       change = std::move(change),
       author = read_author(call)](Transaction& transaction, std::string& body) -> Status {
        CORTEX_ASSIGN_OR_RETURN(const ModelVersion version, change(transaction, author, id));
        reply_model_version(body, version);
        return {};
      }
  );
}

Result<Plan> get_version(const Context&, const Call& call) {
  CORTEX_ASSIGN_OR_RETURN(VersionId id, read_version_id(call.fields));
  return Plan::read(
      [id = std::move(id),
       workspace = call.workspace](Transaction& transaction, std::string& body) -> Status {
        CORTEX_ASSIGN_OR_RETURN(
            const ModelVersion version, registry::find_version(transaction, workspace, id)
        );
        reply_model_version(body, version);
        return {};
      }
  );
}

Result<Plan> update_version(const Context&, const Call& call) {
  CORTEX_ASSIGN_OR_RETURN(VersionId id, read_version_id(call.fields));
  return change_version(
      call,
      std::move(id),
      [description = call.fields.text("description")](
          Transaction& transaction, const registry::Authorship& author, const VersionId& version
      ) { return registry::describe_version(transaction, author, version, description); }
  );
}

Result<Plan> remove_version(const Context&, const Call& call) {
  CORTEX_ASSIGN_OR_RETURN(VersionId id, read_version_id(call.fields));
  return Plan::write([id = std::move(id),
                      author = read_author(call)](Transaction& transaction, std::string&) {
    return registry::delete_version(transaction, author, id);
  });
}

Result<Plan> transition_version(const Context&, const Call& call) {
  CORTEX_ASSIGN_OR_RETURN(VersionId id, read_version_id(call.fields));
  const std::string text = call.fields.required_text("stage");
  const bool archive = call.fields.flag("archive_existing_versions").value_or(false);
  CORTEX_RETURN_IF_ERROR(call.fields.status());
  CORTEX_ASSIGN_OR_RETURN(const registry::LifecycleStage stage, registry::parse_stage(text));
  return change_version(
      call,
      std::move(id),
      [stage, archive](
          Transaction& transaction, const registry::Authorship& author, const VersionId& version
      ) { return registry::transition_stage(transaction, author, version, stage, archive); }
  );
}

Result<Plan> search_versions(const Context&, const Call& call) {
  CORTEX_ASSIGN_OR_RETURN(
      registry::CatalogQuery query, read_query(call.fields, kPageHeld, kVersionPageMax)
  );
  query.limit = std::min(query.limit, kPageHeld);
  return Plan::read(
      [query = std::move(query),
       workspace = call.workspace](Transaction& transaction, std::string& body) -> Status {
        CORTEX_ASSIGN_OR_RETURN(
            const auto page, registry::search_versions(transaction, workspace, query)
        );
        reply_model_versions(body, page.items, page.next_page_token);
        return {};
      }
  );
}

// Where the files are, whatever the source was called: clients know mlflow-artifacts: alone.
Result<Plan> download_uri(const Context&, const Call& call) {
  CORTEX_ASSIGN_OR_RETURN(const VersionId id, read_version_id(call.fields));
  return Plan::read(
      [id, workspace = call.workspace](Transaction& transaction, std::string& body) -> Status {
        CORTEX_ASSIGN_OR_RETURN(
            const ModelVersion version, registry::find_version(transaction, workspace, id)
        );
        const std::string uri =
            version.location.empty() ? version.source : "mlflow-artifacts:/" + version.location;
        JsonWriter writer(body);
        writer.open_object();
        writer.text("artifact_uri", uri);
        writer.close_object();
        return {};
      }
  );
}

Result<Plan> set_version_tag(const Context&, const Call& call) {
  CORTEX_ASSIGN_OR_RETURN(VersionId id, read_version_id(call.fields));
  return Plan::write([id = std::move(id),
                      key = call.fields.required_text("key"),
                      value = call.fields.text("value"),
                      author = read_author(call)](Transaction& transaction, std::string&) {
    return registry::set_version_tag(transaction, author, id, key, value);
  });
}

Result<Plan> delete_version_tag(const Context&, const Call& call) {
  CORTEX_ASSIGN_OR_RETURN(VersionId id, read_version_id(call.fields));
  return Plan::write([id = std::move(id),
                      key = call.fields.required_text("key"),
                      author = read_author(call)](Transaction& transaction, std::string&) {
    return registry::delete_version_tag(transaction, author, id, key);
  });
}

}  // namespace

std::vector<MlflowRoute> model_version_routes() {
  constexpr Method kGet = Method::kGet;
  constexpr Method kPost = Method::kPost;
  constexpr Method kDelete = Method::kDelete;
  constexpr Scope kRead = Scope::kRead;
  constexpr Scope kWrite = Scope::kAdmin;
  return {
      json_route(
          kPost, "/model-versions/create", kWrite, "Make a version of a model", create_version
      ),
      json_route(kGet, "/model-versions/get", kRead, "A version by its number", get_version),
      json_route(
          Method::kPatch, "/model-versions/update", kWrite, "Describe a version", update_version
      ),
      json_route(kDelete, "/model-versions/delete", kWrite, "Delete a version", remove_version),
      json_route(kGet, "/model-versions/search", kRead, "Search versions", search_versions),
      json_route(
          kGet,
          "/model-versions/get-download-uri",
          kRead,
          "Where the files of a version are",
          download_uri
      ),
      json_route(
          kPost,
          "/model-versions/transition-stage",
          kWrite,
          "Move a version to another stage",
          transition_version
      ),
      json_route(kPost, "/model-versions/set-tag", kWrite, "Set a version's tag", set_version_tag),
      json_route(
          kDelete,
          "/model-versions/delete-tag",
          kWrite,
          "Delete a version's tag",
          delete_version_tag
      ),
  };
}

}  // namespace cortex::frontend::mlflow
