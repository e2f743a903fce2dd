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

Result<Handle> acquire_version(const ServingModel& model, const ModelReference& reference) {
  for (const Handle& handle : model.ready) {
    if (handle->identity.version == reference.version) return handle;
  }
  const std::string version = unknown_model(reference.name) + " version " + reference.version;
  for (const IndexEntry& entry : model.entries) {
    if (entry.version != reference.version) continue;
    const std::string why = entry.reason.empty() ? "" : ": " + entry.reason;
    return unavailable(version + " is not at ready state" + why);
  }
  return not_found(version + " is not found");
}

}  // namespace

Result<Handle> ServingTable::acquire(const ModelReference& reference) const {
  if (closed) return unavailable("the server is shutting down");
  const auto found = models.find(reference.name);
  if (found == models.end()) return not_found(unknown_model(reference.name) + " is not found");
  const ServingModel& model = *found->second;
  if (!reference.adapter.empty()) {
    return not_found(unknown_model(reference.name) + " has no adapter '" + reference.adapter + "'");
  }
  if (!reference.version.empty()) return acquire_version(model, reference);
  if (!reference.alias.empty()) {
    return not_found(unknown_model(reference.name) + " has no alias '" + reference.alias + "'");
  }
  if (!model.ready.empty()) return model.ready.back();
  return unavailable(
      unknown_model(reference.name) + " has no available versions" + first_reason(model)
  );
}

}  // namespace cortex::registry
