// SPDX-License-Identifier: Apache-2.0
#include "registry/registry.h"

#include <utility>

#include "registry/reconciler.h"

namespace cortex::registry {

Registry::Registry(RegistryOptions options, Loader loader, const Clock& clock)
    : reconciler_(std::make_unique<Reconciler>(std::move(options), std::move(loader), clock)) {}

Registry::~Registry() = default;

Status Registry::start() { return reconciler_->start(); }

bool Registry::settled() const { return reconciler_->settled(); }

Result<Handle> Registry::acquire(const ModelReference& reference) const {
  return reconciler_->table()->acquire(reference);
}

Result<Handle> Registry::acquire_previous(
    const ModelReference& reference, const std::string& failed
) const {
  return reconciler_->table()->acquire_previous(reference, failed);
}

std::vector<IndexEntry> Registry::index() const {
  std::vector<IndexEntry> out;
  const auto table = reconciler_->table();
  for (const auto& [name, model] : table->models) {
    out.insert(out.end(), model->entries.begin(), model->entries.end());
  }
  return out;
}

std::vector<IndexEntry> Registry::index(const std::string& name) const {
  const auto table = reconciler_->table();
  const auto found = table->models.find(name);
  return found == table->models.end() ? std::vector<IndexEntry>() : found->second->entries;
}

std::map<std::string, AliasState> Registry::aliases(const std::string& name) const {
  std::map<std::string, AliasState> out;
  const auto table = reconciler_->table();
  const auto found = table->models.find(name);
  if (found == table->models.end()) return out;
  for (const auto& [alias, serving] : found->second->aliases) out[alias] = serving.state;
  return out;
}

Status Registry::fault(const std::string& name) const {
  const auto table = reconciler_->table();
  const auto found = table->models.find(name);
  return found == table->models.end() ? Status() : found->second->fault;
}

std::vector<std::string> Registry::ready_models() const {
  std::vector<std::string> out;
  const auto table = reconciler_->table();
  for (const auto& [name, model] : table->models) {
    if (!model->ready.empty()) out.push_back(name);
  }
  return out;
}

void Registry::load(
    const std::string& name, LoadOverride override_, std::function<void(Status)> done
) {
  reconciler_->load(name, std::move(override_), std::move(done));
}

void Registry::unload(const std::string& name, std::function<void(Status)> done) {
  reconciler_->unload(name, std::move(done));
}

void Registry::rescan() { reconciler_->rescan(); }

void Registry::rescan_model(const std::string& name) { reconciler_->rescan_model(name); }

void Registry::set_stored(std::map<std::string, StoredFacts> changed) {
  reconciler_->set_stored(std::move(changed));
}

FolderLocks& Registry::folder_locks() { return reconciler_->folder_locks(); }

void Registry::drain() { reconciler_->drain(); }

RegistryCounts Registry::counts() const { return reconciler_->counts(); }

}  // namespace cortex::registry
