// SPDX-License-Identifier: Apache-2.0
#include "registry/serving_table.h"

namespace cortex::registry {
namespace {

// The words that clients of the protocol know.
std::string unknown_model(const std::string& name) {
  return "Request for unknown model: '" + name + "'";
}

std::string first_reason(const ServingModel& model) {
  for (const IndexEntry& entry : model.entries) {
    if (!entry.reason.empty()) return ": " + entry.reason;
  }
  return "";
}

// Why `version` does not serve. `who` asked for it.
Status why_not_ready(
    const ServingModel& model, const std::string& who, const std::string& version
) {
  for (const IndexEntry& entry : model.entries) {
    if (entry.version != version) continue;
    const std::string why = entry.reason.empty() ? "" : ": " + entry.reason;
    return unavailable(who + " is not at ready state" + why);
  }
  return not_found(who + " is not found");
}

Result<Handle> acquire_version(const ServingModel& model, const ModelReference& reference) {
  for (const Handle& handle : model.ready) {
    if (handle->identity.version == reference.version) return handle;
  }
  const std::string who = unknown_model(reference.name) + " version " + reference.version;
  return why_not_ready(model, who, reference.version);
}

Status no_such_alias(const ModelReference& reference) {
  const std::string who = unknown_model(reference.name);
  if (reference.alias.front() != '/')
    return not_found(who + " has no alias '" + reference.alias + "'");
  return not_found(who + " has no version in stage '" + reference.alias.substr(1) + "'");
}

// The index says of the version that it points to why.
Status serves_nothing(const ServingModel& model, const ModelReference& reference) {
  const std::string& alias = reference.alias.empty() ? model.default_alias : reference.alias;
  return unavailable(
      unknown_model(reference.name) + ": its alias '" + alias +
      "' serves nothing, as it may serve none of the versions that it pointed to"
  );
}

Result<Handle> acquire_alias(
    const ServingModel& model, const ServingAlias* alias, const ModelReference& reference
) {
  if (alias == nullptr) return no_such_alias(reference);
  if (alias->handle) return alias->handle;
  if (alias->state.target == 0) return serves_nothing(model, reference);
  const std::string version = std::to_string(alias->state.target);
  const std::string who = unknown_model(reference.name) + " version " + version;
  const Status why = why_not_ready(model, who, version);
  return why.code() == Code::kNotFound ? unavailable(who + " is not loaded yet") : why;
}

Status nothing_to_try() { return not_found("there is no other version to try"); }

const Handle* find_stored(const ServingModel& model, std::int64_t version) {
  for (const Handle& handle : model.ready) {
    if (handle->stored && handle->number == version) return &handle;
  }
  return nullptr;
}

// What an alias never served it may not be allowed to serve.
Result<Handle> acquire_other(
    const ServingModel& model, const ServingAlias& alias, const std::string& failed
) {
  for (const std::int64_t version : {alias.state.serving, alias.state.previous}) {
    const Handle* handle = find_stored(model, version);
    if (handle != nullptr && (*handle)->identity.version != failed) return *handle;
  }
  return nothing_to_try();
}

const ServingAlias* alias_meant(const ServingModel& model, const ModelReference& reference) {
  const std::string& alias = reference.alias.empty() ? model.default_alias : reference.alias;
  return alias.empty() ? nullptr : model.find_alias(alias);
}

}  // namespace

const ServingAlias* ServingModel::find_alias(const std::string& alias) const {
  const auto found = aliases.find(alias);
  return found == aliases.end() ? nullptr : &found->second;
}

Result<Handle> ServingTable::acquire(const ModelReference& reference) const {
  if (closed) return unavailable("the server is shutting down");
  const auto found = models.find(reference.name);
  if (found == models.end()) return not_found(unknown_model(reference.name) + " is not found");
  const ServingModel& model = *found->second;
  if (!reference.adapter.empty()) {
    return not_found(unknown_model(reference.name) + " has no adapter '" + reference.adapter + "'");
  }
  if (!reference.version.empty()) return acquire_version(model, reference);
  const ServingAlias* alias = alias_meant(model, reference);
  if (alias != nullptr || !reference.alias.empty()) return acquire_alias(model, alias, reference);
  if (!model.ready.empty()) return model.ready.back();
  return unavailable(
      unknown_model(reference.name) + " has no available versions" + first_reason(model)
  );
}

Result<Handle> ServingTable::acquire_previous(
    const ModelReference& reference, const std::string& failed
) const {
  if (closed) return unavailable("the server is shutting down");
  const auto found = models.find(reference.name);
  if (found == models.end() || !reference.version.empty()) return nothing_to_try();
  const ServingModel& model = *found->second;
  const ServingAlias* alias = alias_meant(model, reference);
  if (alias != nullptr) return acquire_other(model, *alias, failed);
  if (!reference.alias.empty()) return nothing_to_try();
  const Handle* older = nullptr;
  for (const Handle& handle : model.ready) {
    if (handle->identity.version == failed) break;
    older = &handle;
  }
  if (older == nullptr) return nothing_to_try();
  return *older;
}

}  // namespace cortex::registry
