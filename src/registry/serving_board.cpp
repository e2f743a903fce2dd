// SPDX-License-Identifier: Apache-2.0
#include "registry/serving_board.h"

#include <utility>

namespace cortex::registry {
namespace {

std::set<std::int64_t> stored_versions(const ReconciledModel& held) {
  std::set<std::int64_t> out;
  for (const Handle& handle : held.ready) {
    if (handle->stored) out.insert(handle->number);
  }
  return out;
}

Handle find_stored(const ReconciledModel& held, std::int64_t version) {
  for (const Handle& handle : held.ready) {
    if (handle->stored && handle->number == version) return handle;
  }
  return nullptr;
}

std::int64_t number_of(const IndexEntry& entry) {
  return entry.version.empty() ? 0 : std::stoll(entry.version);
}

// Of the folders, and of versions that have none here.
std::vector<IndexEntry> merge_entries(
    const std::string& name, const ReconciledModel& held, const StoredFacts& facts
) {
  std::map<std::int64_t, IndexEntry> entries;
  for (const auto& [version, why] : facts.not_served) {
    entries[version] = {name, std::to_string(version), VersionState::kUnavailable, why};
  }
  for (const IndexEntry& entry : held.entries) entries[number_of(entry)] = entry;
  if (entries.size() > 1) entries.erase(0);
  std::vector<IndexEntry> out;
  for (auto& [version, entry] : entries) out.push_back(std::move(entry));
  return out;
}

// A version that an alias waits for says which one serves meanwhile.
void note_alias(
    std::vector<IndexEntry>& entries, const std::string& alias, const AliasState& state
) {
  if (state.serving == state.target) return;
  for (IndexEntry& entry : entries) {
    if (entry.state == VersionState::kReady || entry.version != std::to_string(state.target))
      continue;
    if (!entry.reason.empty()) entry.reason += "; ";
    entry.reason += "'" + alias + "' stays on version " + std::to_string(state.serving);
  }
}

void add_notes(std::vector<IndexEntry>& entries, const std::map<std::int64_t, std::string>& notes) {
  for (IndexEntry& entry : entries) {
    const auto note = notes.find(number_of(entry));
    if (note == notes.end()) continue;
    if (!entry.reason.empty()) entry.reason += "; ";
    entry.reason += note->second;
  }
}

}  // namespace

ServingBoard::ServingBoard(std::string default_alias)
    : default_alias_(std::move(default_alias)), table_(std::make_shared<const ServingTable>()) {}

bool ServingBoard::update(const std::function<Changes(const Pins&)>& decide) {
  MutexLock lock(mutex_);
  Changes changes = decide(std::exchange(changed_pins_, {}));
  const auto current = table_.load();
  if (changes.models.empty() && changes.closed == current->closed) return false;
  auto next = std::make_shared<ServingTable>(*current);
  next->closed = changes.closed;
  for (auto& [name, held] : changes.models) {
    records_[name].held = std::move(held);
    show_locked(name, *next);
  }
  table_.publish(std::move(next));
  return true;
}

void ServingBoard::set_stored(std::map<std::string, StoredFacts> changed) {
  MutexLock lock(mutex_);
  auto next = std::make_shared<ServingTable>(*table_.load());
  for (auto& [name, facts] : changed) {
    Record& record = records_[name];
    record.aliases.point(facts.aliases, facts.previous);
    record.aliases.permit(facts.permitted);
    record.facts = std::move(facts);
    show_locked(name, *next);
  }
  table_.publish(std::move(next));
}

void ServingBoard::show_locked(const std::string& name, ServingTable& next) {
  if (auto model = compose_locked(name)) {
    next.models[name] = std::move(model);
  } else {
    next.models.erase(name);
  }
}

std::shared_ptr<const ServingModel> ServingBoard::compose_locked(const std::string& name) {
  static const ReconciledModel kNothing;
  Record& record = records_[name];
  const ReconciledModel& held = record.held ? *record.held : kNothing;
  record.aliases.settle(stored_versions(held));
  auto pins = record.aliases.pinned();
  if (pins != record.pins) {
    record.pins = pins;
    changed_pins_[name] = std::move(pins);
  }
  auto out = std::make_shared<ServingModel>();
  out->ready = held.ready;
  out->fault = held.fault;
  out->entries = merge_entries(name, held, record.facts);
  out->default_alias = default_alias_;
  for (const auto& [alias, state] : record.aliases.states()) {
    out->aliases[alias] = {state, find_stored(held, state.serving)};
    if (out->aliases[alias].handle) note_alias(out->entries, alias, state);
  }
  add_notes(out->entries, record.facts.notes);
  if (!out->entries.empty() || !out->aliases.empty()) return out;
  records_.erase(name);
  return nullptr;
}

}  // namespace cortex::registry
