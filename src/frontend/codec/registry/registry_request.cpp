// SPDX-License-Identifier: Apache-2.0
#include "frontend/codec/registry/registry_request.h"

#include <charconv>
#include <cstdint>
#include <string_view>

#include "frontend/codec/registry/documents.h"
#include "registry/catalog/alias.h"
#include "registry/catalog/semantic_version.h"

namespace cortex::frontend::registry_api {
namespace {

constexpr Query::Range kPage{100, 1, 1000};

Result<std::int64_t> number_of_alias(
    store::Transaction& transaction,
    const std::string& workspace,
    const std::string& model,
    const std::string& alias
) {
  CORTEX_ASSIGN_OR_RETURN(
      const auto number, registry::resolve_alias(transaction, workspace, model, alias)
  );
  if (number) return *number;
  return not_found("model '" + model + "' has no alias '" + alias + "'");
}

// The version in a path, and what must be true of it.
struct Target {
  std::string model;
  std::string name;
  Precondition precondition;
};

Target target_of(const Call& call) {
  return {call.path_value(0), call.path_value(1), call.precondition};
}

Result<registry::VersionId> find_target(
    store::Transaction& transaction,
    const registry::Authorship& author,
    const Target& target,
    Answer& answer
) {
  CORTEX_ASSIGN_OR_RETURN(
      const registry::ModelVersion version,
      find_named_version(transaction, author.workspace, target.model, target.name)
  );
  CORTEX_RETURN_IF_ERROR(check_entity(target.precondition, to_json(version), answer));
  return version.id;
}

}  // namespace

registry::CatalogQuery read_catalog_query(Query& query) {
  registry::CatalogQuery out;
  out.filter = query.text("filter");
  out.order_by = query.texts("order_by");
  out.limit = static_cast<std::size_t>(query.integer("limit", kPage));
  out.page_token = query.text("page_token");
  return out;
}

Result<registry::ModelVersion> find_named_version(
    store::Transaction& transaction,
    const std::string& workspace,
    const std::string& model,
    const std::string& name
) {
  registry::VersionId id{model, 0};
  if (name.starts_with('@')) {
    CORTEX_ASSIGN_OR_RETURN(
        id.version, number_of_alias(transaction, workspace, model, name.substr(1))
    );
    return registry::find_version(transaction, workspace, id);
  }
  const auto read = std::from_chars(name.data(), name.data() + name.size(), id.version);
  if (read.ec == std::errc() && read.ptr == name.data() + name.size() && id.version > 0) {
    return registry::find_version(transaction, workspace, id);
  }
  const auto semantic = registry::parse_semantic_version(name);
  if (semantic.ok()) {
    return registry::find_semantic_version(transaction, workspace, model, *semantic);
  }
  return invalid_argument("'" + name.substr(0, 100) + "' is no version: a number, X.Y.Z or @alias");
}

std::optional<registry::VersionId> read_baseline(
    const Fields& fields, const std::string& standard
) {
  const auto baseline = fields.object("baseline");
  if (!baseline) return std::nullopt;
  registry::VersionId id{baseline->text("model"), baseline->required_integer("version")};
  if (id.model.empty()) id.model = standard;
  return id;
}

std::vector<registry::VersionDataset> read_datasets(const Fields& fields) {
  std::vector<registry::VersionDataset> out;
  for (const Fields& dataset : fields.items("datasets")) {
    out.push_back(
        {dataset.required_text("name"), dataset.required_text("digest"), dataset.text("context")}
    );
  }
  return out;
}

Plan touch_version(const Call& call, VersionTouch touch) {
  return Plan::write(
      [target = target_of(call),
       touch = std::move(touch),
       author = call.author](store::Transaction& transaction, Answer& answer) -> Status {
        CORTEX_ASSIGN_OR_RETURN(
            const registry::VersionId id, find_target(transaction, author, target, answer)
        );
        answer.status = 204;
        return touch(transaction, author, id);
      }
  );
}

Plan change_version(const Call& call, VersionChange change) {
  return Plan::write(
      [target = target_of(call),
       change = std::move(change),
       author = call.author](store::Transaction& transaction, Answer& answer) -> Status {
        CORTEX_ASSIGN_OR_RETURN(
            const registry::VersionId id, find_target(transaction, author, target, answer)
        );
        CORTEX_ASSIGN_OR_RETURN(
            const registry::ModelVersion changed, change(transaction, author, id)
        );
        say_entity(answer, to_json(changed));
        return {};
      }
  );
}

Status answer_known(const Precondition& precondition, Answer& answer) {
  if (answer.tag.empty()) return {};
  if (!precondition.is_known(answer.tag)) return check_tag(precondition, answer.tag, answer);
  answer.status = 304;
  answer.body.clear();
  return {};
}

}  // namespace cortex::frontend::registry_api
