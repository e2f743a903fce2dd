// SPDX-License-Identifier: Apache-2.0
#include "registry/ledger.h"

#include <algorithm>
#include <utility>

namespace cortex::registry {
namespace {

// Which of several loads of one version the index shows: the one that says most about it.
int telling(VersionState state) {
  switch (state) {
    case VersionState::kReady:
      return 4;
    case VersionState::kLoading:
      return 3;
    case VersionState::kFailed:
      return 2;
    case VersionState::kDraining:
      return 1;
    case VersionState::kUnavailable:
      return 0;
  }
  return 0;
}

bool is_alive(VersionState state) {
  return state != VersionState::kFailed && state != VersionState::kUnavailable;
}

}  // namespace

Ledger::Model& Ledger::touch(const std::string& name) {
  unplanned_.insert(name);
  changed_.insert(name);
  return models_[name];
}

void Ledger::see(RepositorySnapshot snapshot) {
  for (const auto& [name, model] : models_) {
    if (model.folder && !snapshot.models.contains(name)) see_model(name, std::nullopt);
  }
  for (auto& [name, folder] : snapshot.models) see_model(name, std::move(folder));
}

void Ledger::see_model(const std::string& name, std::optional<ModelFolder> folder) {
  Model& model = touch(name);
  // What an alias needs stays, also when nothing else of the model is there. next() knows it.
  if (!folder && model.folder && model.folder->stored) {
    model.folder->versions.clear();
    model.folder->fault = {};
  } else {
    model.folder = std::move(folder);
  }
}

void Ledger::want(const std::string& name, bool asked) {
  Model& model = touch(name);
  model.wanted = true;
  model.asked = model.asked || asked;
  model.unloaded = false;
  std::erase_if(model.held, [](const Held& held) {
    return held.machine.state() == VersionState::kFailed;
  });
}

void Ledger::unwant(const std::string& name) {
  Model& model = touch(name);
  model.unloaded = model.unloaded || model.wanted;
  model.wanted = false;
}

void Ledger::pin(const std::string& name, std::set<std::int64_t> versions) {
  if (models_.contains(name)) touch(name);
  if (versions.empty()) {
    pins_.erase(name);
  } else {
    pins_[name] = std::move(versions);
  }
}

void Ledger::forget_folder_that_went(const std::string& name, Model& model) const {
  const std::optional<ModelFolder>& folder = model.folder;
  if (!folder || !folder->stored || !folder->fault.ok() || !folder->versions.empty()) return;
  const bool loads = std::ranges::any_of(model.held, [](const Held& held) {
    return held.machine.state() == VersionState::kLoading;
  });
  if (!pins_.contains(name) && !loads) model.folder.reset();
}

bool Ledger::is_stored(const std::string& name) const {
  const auto found = models_.find(name);
  return found != models_.end() && found->second.folder && found->second.folder->stored;
}

void Ledger::close() {
  closed_ = true;
  for (const auto& [name, model] : models_) touch(name);
}

std::pair<const std::string*, Ledger::Held*> Ledger::find(LoadId id) {
  for (auto& [name, model] : models_) {
    for (Held& held : model.held) {
      if (held.id == id) return {&name, &held};
    }
  }
  CHECK(false, "an answer to an order that nobody gave");
  return {};
}

void Ledger::loaded(LoadId id) {
  const auto [name, held] = find(id);
  held->machine.loaded();
  touch(*name);
}

void Ledger::failed(LoadId id, Status reason) {
  const auto [name, held] = find(id);
  held->machine.failed(std::move(reason));
  touch(*name);
}

void Ledger::gone(LoadId id) {
  const auto [name, held] = find(id);
  CHECK(held->machine.state() == VersionState::kLoading, "only a load finds no folder");
  std::erase_if(touch(*name).held, [&](const Held& h) { return h.id == id; });
}

void Ledger::released(LoadId id) {
  const auto [name, held] = find(id);
  held->machine.drained();
  std::erase_if(touch(*name).held, [&](const Held& h) { return h.id == id; });
}

bool Ledger::is_wanted(const Model& model) const {
  return !closed_ && model.folder && (all_wanted_ || model.wanted || model.folder->stored);
}

// A folder that is at fault for now says nothing of what to unload: what serves goes on.
std::vector<Edition> Ledger::wanted_editions(const std::string& name, const Model& model) const {
  std::vector<Edition> out;
  if (!is_wanted(model)) return out;
  if (!model.folder->fault.ok()) {
    for (const Held& held : model.held) {
      const VersionState state = held.machine.state();
      if (state == VersionState::kReady || state == VersionState::kLoading)
        out.push_back(held.edition);
    }
    return out;
  }
  std::vector<std::int64_t> numbers;
  for (const VersionFolder& v : model.folder->versions) numbers.push_back(v.version);
  const auto selected = select_versions(model.folder->config, numbers);
  for (const VersionFolder& v : model.folder->versions) {
    if (v.fault.ok() && std::binary_search(selected.begin(), selected.end(), v.version)) {
      out.push_back({v.version, v.fingerprint});
    }
  }
  if (model.folder->stored) add_pinned(name, model, out);
  return out;
}

void Ledger::add_pinned(const std::string& name, const Model& model, std::vector<Edition>& wanted)
    const {
  const auto pins = pins_.find(name);
  if (pins == pins_.end()) return;
  for (const Held& held : model.held) {
    const bool named = std::any_of(wanted.begin(), wanted.end(), [&](const Edition& edition) {
      return edition.version == held.edition.version;
    });
    if (named || held.machine.state() != VersionState::kReady) continue;
    if (pins->second.contains(held.edition.version)) wanted.push_back(held.edition);
  }
}

LedgerPlan Ledger::next() {
  LedgerPlan plan;
  for (const std::string& name : std::exchange(unplanned_, {})) {
    Model& model = models_.at(name);
    forget_folder_that_went(name, model);
    plan_model(name, model, plan);
    model.asked = false;
    if (!model.folder && !model.wanted && model.held.empty()) models_.erase(name);
  }
  return plan;
}

void Ledger::plan_model(const std::string& name, Model& model, LedgerPlan& plan) {
  std::vector<HeldEdition> held;
  for (const Held& h : model.held) held.push_back({h.edition, h.machine.state()});
  const std::vector<Edition> wanted = wanted_editions(name, model);
  // How many stored versions are kept is the store's to say: there only one stays without it.
  const bool stored = model.folder && model.folder->stored;
  for (const Action& action : next_actions(wanted, held, stored ? 1 : wanted.size())) {
    const auto is_meant = [&](const Held& h, VersionState state) {
      return h.edition == action.edition && h.machine.state() == state;
    };
    switch (action.kind) {
      case ActionKind::kLoad:
        plan.loads.push_back(start_load(model, action.edition));
        break;
      case ActionKind::kRetire:
        for (Held& h : model.held) {
          if (!is_meant(h, VersionState::kReady)) continue;
          h.machine.drain();
          plan.retire.push_back(h.id);
        }
        break;
      case ActionKind::kForget:
        std::erase_if(model.held, [&](const Held& h) {
          return is_meant(h, VersionState::kFailed);
        });
        break;
    }
  }
}

LoadOrder Ledger::start_load(Model& model, const Edition& edition) {
  Held held{.id = {++last_id_}, .edition = edition, .machine = {}};
  held.machine.start_loading();
  const auto& versions = model.folder->versions;
  const auto folder = std::find_if(versions.begin(), versions.end(), [&](const VersionFolder& v) {
    return v.version == edition.version;
  });
  CHECK(folder != versions.end(), "only versions with a folder are wanted");
  const ModelConfig& config = folder->config ? *folder->config : model.folder->config;
  LoadOrder order{
      held.id,
      edition.version,
      config,
      folder->path,
      model.folder->stored,
      edition.fingerprint,
      model.asked
  };
  model.held.push_back(std::move(held));
  return order;
}

std::optional<Status> Ledger::outcome(const std::string& name) const {
  const auto found = models_.find(name);
  if (found == models_.end() || !found->second.folder) {
    return not_found(
        "failed to load '" + name +
        "', failed to poll from model repository: no folder of that name"
    );
  }
  const Model& model = found->second;
  if (closed_) return unavailable("failed to load '" + name + "': the server is shutting down");
  if (!is_wanted(model))
    return Status(Code::kAborted, "failed to load '" + name + "': it was unloaded meanwhile");
  if (!model.folder->fault.ok())
    return model.folder->fault.with_prefix("failed to load '" + name + "': ");
  Status worst;
  std::string text = "load failed for model '" + name + "': ";
  for (const Edition& edition : wanted_editions(name, model)) {
    const auto held = std::find_if(model.held.begin(), model.held.end(), [&](const Held& h) {
      return h.edition == edition && h.machine.state() != VersionState::kDraining;
    });
    if (held == model.held.end() || held->machine.state() == VersionState::kLoading)
      return std::nullopt;
    if (held->machine.state() != VersionState::kFailed) continue;
    worst = held->machine.reason();
    text += "version " + std::to_string(edition.version) +
            " is at UNAVAILABLE state: " + worst.text() + "; ";
  }
  return worst.ok() ? Status() : Status(worst.code(), text);
}

bool Ledger::settled() const {
  return std::all_of(models_.begin(), models_.end(), [this](const auto& entry) {
    return !is_wanted(entry.second) || outcome(entry.first).has_value();
  });
}

bool Ledger::empty() const {
  return std::all_of(models_.begin(), models_.end(), [](const auto& entry) {
    const auto& held = entry.second.held;
    return std::none_of(held.begin(), held.end(), [](const Held& h) {
      return is_alive(h.machine.state());
    });
  });
}

Status Ledger::fault(const std::string& name) const {
  const auto found = models_.find(name);
  if (found == models_.end() || !found->second.folder) return {};
  const ModelFolder& folder = *found->second.folder;
  return folder.fault.ok() ? folder.stored_fault : folder.fault;
}

std::vector<LoadId> Ledger::ready(const std::string& name) const {
  const auto found = models_.find(name);
  if (found == models_.end()) return {};
  std::map<std::int64_t, LoadId> newest;
  for (const Held& held : found->second.held) {
    if (held.machine.state() == VersionState::kReady) newest[held.edition.version] = held.id;
  }
  std::vector<LoadId> out;
  for (const auto& [version, id] : newest) out.push_back(id);
  return out;
}

std::vector<IndexEntry> Ledger::index(const std::string& name) const {
  const auto found = models_.find(name);
  if (found == models_.end()) return {};
  const Model& model = found->second;
  std::set<std::int64_t> versions;
  if (model.folder) {
    for (const VersionFolder& v : model.folder->versions) versions.insert(v.version);
  }
  for (const Held& held : model.held) versions.insert(held.edition.version);
  if (versions.empty()) {
    const bool broken = !folder_fault(model, 0).ok() || is_missed(model);
    return {{name, "", VersionState::kUnavailable, why_not_held(model, 0), 0, broken}};
  }
  std::vector<IndexEntry> out;
  for (const std::int64_t version : versions) out.push_back(index_version(name, model, version));
  return out;
}

IndexEntry Ledger::index_version(const std::string& name, const Model& model, std::int64_t version)
    const {
  IndexEntry entry{name, std::to_string(version), VersionState::kUnavailable, ""};
  for (const Held& held : model.held) {
    if (held.edition.version != version) continue;
    const VersionState state = held.machine.state();
    if (telling(state) > telling(entry.state)) entry.state = state;
    if (state == VersionState::kFailed) entry.reason = held.machine.reason().text();
  }
  entry.broken = entry.state == VersionState::kFailed;
  if (entry.state == VersionState::kUnavailable) {
    entry.reason = why_not_held(model, version);
    entry.broken = !folder_fault(model, version).ok();
  }
  return entry;
}

bool Ledger::is_missed(const Model& model) { return model.wanted && !model.folder; }

Status Ledger::folder_fault(const Model& model, std::int64_t version) {
  if (!model.folder) return {};
  if (!model.folder->fault.ok()) return model.folder->fault;
  for (const VersionFolder& folder : model.folder->versions) {
    if (folder.version == version) return folder.fault;
  }
  return {};
}

std::string Ledger::why_not_held(const Model& model, std::int64_t version) const {
  if (!model.folder) return "no model repository has a folder of that name";
  const Status fault = folder_fault(model, version);
  if (!fault.ok()) return fault.text();
  if (model.unloaded || closed_) return "unloaded";
  return is_wanted(model) ? "not served by the version policy" : "not loaded";
}

std::set<std::string> Ledger::take_changed() { return std::exchange(changed_, {}); }

}  // namespace cortex::registry
