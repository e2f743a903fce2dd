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

std::vector<IndexEntry> Registry::index() const {
  std::vector<IndexEntry> out;
  const auto table = reconciler_->table();
  for (const auto& [name, model] : table->models) {
    out.insert(out.end(), model->entries.begin(), model->entries.end());
  }
  return out;
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

void Registry::drain() { reconciler_->drain(); }

RegistryCounts Registry::counts() const { return reconciler_->counts(); }

}  // namespace cortex::registry
