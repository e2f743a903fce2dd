// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <string>
#include <utility>

#include <boost/json.hpp>

#include "frontend/codec/registry/documents.h"
#include "frontend/codec/registry/registry_request.h"
#include "frontend/codec/registry/registry_route.h"
#include "registry/catalog/alias.h"
#include "registry/catalog/registered_model.h"

namespace cortex::frontend::registry_api {
namespace {

namespace json = boost::json;
using registry::AliasChange;
using registry::AliasEntry;
using store::Transaction;

constexpr std::size_t kChangesMax = 1000;
constexpr Query::Range kHistoryPage{100, 1, 1000};
constexpr Query::Range kAnySeq{0, 0, INT64_MAX};

// Which alias of which model, by the path.
struct Place {
  std::string model;
  std::string alias;
};

Place place_of(const Call& call) { return {call.path_value(0), call.path_value(1)}; }

// The tag of an alias is the revision of its last change.
std::optional<std::string> tag_of(const std::optional<AliasEntry>& entry) {
  if (!entry || entry->to == 0) return std::nullopt;
  return std::to_string(entry->revision);
}

json::object standing(const AliasEntry& entry) {
  json::object out{
      {"model", entry.model},
      {"alias", entry.alias},
      {"version", entry.to},
      {"revision", entry.revision},
      {"changed_at", entry.at},
  };
  if (!entry.user.empty()) out.emplace("changed_by", entry.user);
  if (!entry.reason.empty()) out.emplace("reason", entry.reason);
  return out;
}

void say_entry(Answer& answer, const AliasEntry& entry) {
  say(answer, to_json(entry));
  answer.tag = tag_of(std::optional(entry)).value_or("");
}

Status no_alias(const Place& place) {
  return not_found("model '" + place.model + "' has no alias '" + place.alias + "'");
}

Result<Plan> list_aliases(const Call& call) {
  return Plan::read(
      [name = call.path_value(0),
       workspace = call.author.workspace](Transaction& transaction, Answer& answer) -> Status {
        CORTEX_ASSIGN_OR_RETURN(
            const registry::RegisteredModel model,
            registry::find_model(transaction, workspace, name)
        );
        json::array aliases;
        for (const auto& [alias, version] : model.aliases) {
          aliases.push_back(json::object{{"alias", alias}, {"version", version}});
        }
        say(answer, {{"aliases", std::move(aliases)}});
        return {};
      }
  );
}

// "latest" has no history: it is the greatest version that is ready.
Status get_latest(
    Transaction& transaction, const std::string& workspace, const Place& place, Answer& answer
) {
  CORTEX_ASSIGN_OR_RETURN(
      const auto number, registry::resolve_alias(transaction, workspace, place.model, place.alias)
  );
  if (!number) return no_alias(place);
  say(answer, {{"model", place.model}, {"alias", place.alias}, {"version", *number}});
  return {};
}

Result<Plan> get_alias(const Call& call) {
  return Plan::read(
      [place = place_of(call),
       workspace = call.author.workspace,
       precondition = call.precondition](Transaction& transaction, Answer& answer) -> Status {
        CORTEX_ASSIGN_OR_RETURN(
            const auto entry, registry::find_alias(transaction, workspace, place.model, place.alias)
        );
        if (!entry) return get_latest(transaction, workspace, place, answer);
        if (entry->to == 0) return no_alias(place);
        say(answer, standing(*entry));
        answer.tag = *tag_of(entry);
        return answer_known(precondition, answer);
      }
  );
}

// The tag of the alias as it stands in this transaction, in which alone it can change.
Result<std::optional<std::string>> check_alias(
    Transaction& transaction,
    const std::string& workspace,
    const Place& place,
    const Precondition& precondition,
    Answer& answer
) {
  CORTEX_ASSIGN_OR_RETURN(
      const auto entry, registry::find_alias(transaction, workspace, place.model, place.alias)
  );
  std::optional<std::string> tag = tag_of(entry);
  CORTEX_RETURN_IF_ERROR(check_tag(precondition, tag, answer));
  return tag;
}

Result<AliasEntry> set_one(
    Transaction& transaction,
    const registry::Authorship& author,
    const Place& place,
    std::int64_t version
) {
  const AliasChange change{place.model, place.alias, version, {}};
  CORTEX_ASSIGN_OR_RETURN(
      auto entries, registry::set_aliases(transaction, author, std::span(&change, 1))
  );
  return std::move(entries.front());
}

Result<Plan> put_alias(const Call& call) {
  const std::int64_t version = call.fields.required_integer("version");
  if (version < 1) call.fields.refuse("version", "must be a positive number");
  return Plan::write(
      [place = place_of(call), version, author = call.author, precondition = call.precondition](
          Transaction& transaction, Answer& answer
      ) -> Status {
        CORTEX_RETURN_IF_ERROR(
            check_alias(transaction, author.workspace, place, precondition, answer).status()
        );
        CORTEX_ASSIGN_OR_RETURN(
            const AliasEntry entry, set_one(transaction, author, place, version)
        );
        say_entry(answer, entry);
        return {};
      }
  );
}

Result<Plan> remove_alias(const Call& call) {
  return Plan::write(
      [place = place_of(call),
       author = call.author,
       precondition = call.precondition](Transaction& transaction, Answer& answer) -> Status {
        CORTEX_ASSIGN_OR_RETURN(
            const auto tag, check_alias(transaction, author.workspace, place, precondition, answer)
        );
        if (!tag) return no_alias(place);
        answer.status = 204;
        return set_one(transaction, author, place, 0).status();
      }
  );
}

Result<Plan> alias_history(const Call& call) {
  const std::int64_t before = call.query.integer("before", kAnySeq);
  const auto limit = static_cast<std::size_t>(call.query.integer("limit", kHistoryPage));
  return Plan::read(
      [place = place_of(call), before, limit, workspace = call.author.workspace](
          Transaction& transaction, Answer& answer
      ) -> Status {
        CORTEX_ASSIGN_OR_RETURN(
            const auto entries,
            registry::alias_history(
                transaction, workspace, place.model, place.alias, before, limit + 1
            )
        );
        const std::size_t shown = std::min(entries.size(), limit);
        json::array changes;
        for (std::size_t i = 0; i < shown; ++i) changes.push_back(to_json(entries[i]));
        json::object document{{"changes", std::move(changes)}};
        if (entries.size() > shown) document.emplace("next_before", entries[shown - 1].seq);
        say(answer, document);
        return {};
      }
  );
}

Result<Plan> roll_back(const Call& call) {
  return Plan::write(
      [place = place_of(call),
       author = call.author,
       precondition = call.precondition](Transaction& transaction, Answer& answer) -> Status {
        CORTEX_RETURN_IF_ERROR(
            check_alias(transaction, author.workspace, place, precondition, answer).status()
        );
        CORTEX_ASSIGN_OR_RETURN(
            const AliasEntry entry,
            registry::rollback_alias(transaction, author, place.model, place.alias)
        );
        say_entry(answer, entry);
        return {};
      }
  );
}

AliasChange read_change(const Fields& fields) {
  AliasChange change;
  change.model = fields.required_text("model");
  change.alias = fields.required_text("alias");
  // null takes the alias away; leaving it out could be a mistake.
  if (!fields.has("version")) fields.refuse("version", "is missing; null deletes the alias");
  const auto version = fields.integer("version");
  if (version && *version < 1) fields.refuse("version", "must be a positive number or null");
  change.version = version.value_or(0);
  change.expected.version = fields.integer("expected_version");
  change.expected.revision = fields.integer("expected_revision");
  return change;
}

Result<Plan> change_many(const Call& call) {
  std::vector<AliasChange> changes;
  const std::vector<Fields> items = call.fields.items("changes");
  if (items.empty()) call.fields.refuse("changes", "is missing");
  if (items.size() > kChangesMax) {
    call.fields.refuse("changes", "holds more than " + std::to_string(kChangesMax) + " changes");
  }
  for (const Fields& item : items) changes.push_back(read_change(item));
  CORTEX_RETURN_IF_ERROR(call.precondition.refuse());
  return Plan::write(
      [changes = std::move(changes),
       author = call.author](Transaction& transaction, Answer& answer) -> Status {
        CORTEX_ASSIGN_OR_RETURN(
            const auto entries, registry::set_aliases(transaction, author, changes)
        );
        json::array done;
        for (const AliasEntry& entry : entries) done.push_back(to_json(entry));
        say(answer, {{"changes", std::move(done)}});
        return {};
      }
  );
}

}  // namespace

std::vector<RegistryRoute> alias_routes() {
  constexpr std::string_view kOne = "/registry/models/{model}/aliases/{alias}";
  return {
      {Method::kGet,
       "/registry/models/{model}/aliases",
       "The aliases of a model",
       "",
       "RegistryAliasList",
       200,
       {},
       list_aliases},
      {Method::kGet,
       kOne,
       "What an alias points to",
       "",
       "RegistryAlias",
       200,
       known_parameters(),
       get_alias},
      {Method::kPut,
       kOne,
       "Point an alias to a version",
       "RegistryAliasTarget",
       "RegistryAliasEntry",
       200,
       change_parameters(),
       put_alias},
      {Method::kDelete, kOne, "Delete an alias", "", "", 204, change_parameters(), remove_alias},
      {Method::kGet,
       "/registry/models/{model}/aliases/{alias}/history",
       "Every change of an alias, newest first",
       "",
       "RegistryAliasHistory",
       200,
       history_parameters(),
       alias_history},
      {Method::kPost,
       "/registry/models/{model}/aliases/{alias}/rollback",
       "Point an alias to what it pointed to before its last change",
       "RegistryReason",
       "RegistryAliasEntry",
       200,
       replay_parameters(),
       roll_back},
      {Method::kPost,
       "/registry/aliases",
       "Change several aliases, all or none",
       "RegistryAliasChanges",
       "RegistryAliasEntries",
       200,
       tagless_parameters(),
       change_many},
  };
}

}  // namespace cortex::frontend::registry_api
