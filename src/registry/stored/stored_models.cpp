// SPDX-License-Identifier: Apache-2.0
#include "registry/stored/stored_models.h"

#include <algorithm>
#include <utility>

#include "base/log.h"

namespace cortex::registry {
namespace {

// Versions that are not held and are shown with their reason; the others are only unknown.
constexpr std::size_t kShownMax = 100;

// The version cannot be served here, however often one tries: with the files that it has.
bool is_final(const Status& status) {
  return status.code() == Code::kFailedPrecondition || status.code() == Code::kInvalidArgument;
}

bool is_same(const StoredFacts& a, const StoredFacts& b) {
  return a.aliases == b.aliases && a.previous == b.previous && a.not_served == b.not_served &&
         a.notes == b.notes && a.permitted == b.permitted;
}

const SourceVersion* find_version(const SourceModel& model, std::int64_t number) {
  const auto found = std::lower_bound(
      model.versions.begin(),
      model.versions.end(),
      number,
      [](const SourceVersion& version, std::int64_t n) { return version.number < n; }
  );
  return found != model.versions.end() && found->number == number ? &*found : nullptr;
}

void put(std::set<std::string>& names, const std::string& name, bool belongs) {
  if (belongs) {
    names.insert(name);
  } else {
    names.erase(name);
  }
}

std::int64_t number_of(const IndexEntry& entry) {
  return entry.version.empty() ? 0 : std::stoll(entry.version);
}

std::set<std::int64_t> numbers_in(const std::vector<IndexEntry>& index, VersionState state) {
  std::set<std::int64_t> out;
  for (const IndexEntry& entry : index) {
    if (entry.state == state) out.insert(number_of(entry));
  }
  return out;
}

}  // namespace

StoredModels::StoredModels(
    StoredModelsOptions options, Source& source, Registry& registry, const Clock& clock
)
    : options_(std::move(options)),
      source_(source),
      registry_(registry),
      clock_(clock),
      folders_(options_.folder, registry.folder_locks()) {}

StoredModels::~StoredModels() { stop(); }

Status StoredModels::start() {
  CORTEX_RETURN_IF_ERROR(folders_.prepare());
  CORTEX_ASSIGN_OR_RETURN(const auto present, folders_.present());
  for (const auto& [name, versions] : present) {
    for (const std::int64_t version : versions) models_[name].folders[version] = "";
  }
  worker_ = std::make_unique<ThreadPool>("stored-files", 1, 1);
  thread_ = Thread("stored-models", [this] { run(); });
  return {};
}

void StoredModels::stop() {
  stop_asked_ = true;
  wake();
  thread_.join();
  worker_.reset();
}

void StoredModels::source_changed() {
  source_changed_ = true;
  wake();
}

void StoredModels::rescan() {
  again_asked_ = true;
  source_changed();
}

void StoredModels::registry_changed() {
  registry_changed_ = true;
  wake();
}

StoredCounts StoredModels::counts() const {
  return {.folders = made_, .failures = failures_, .alias_moves = alias_moves_};
}

void StoredModels::run() {
  std::vector<bool> wakes;
  while (!stop_asked_) {
    turn();
    wakes.clear();
    inbox_.take_all(wakes, wake_time());
  }
}

void StoredModels::turn() {
  if (source_changed_.exchange(false) || clock_.now() >= source_retry_) read_source();
  if (registry_changed_.exchange(false)) dirty_.insert(watched_.begin(), watched_.end());
  take_work();
  forget_old_faults();
  for (const std::string& name : std::exchange(dirty_, {})) settle(name, models_.at(name));
  tell_registry();
  start_work();
  if (unsettled_.empty() && !work_) settled_ = true;
}

void StoredModels::read_source() {
  auto changes = source_.changes();
  if (changes.ok()) {
    source_retry_ = changes->again ? clock_.now() + options_.retry : kNoDeadline;
    return take(std::move(*changes));
  }
  log::error(
      "the source of models cannot be read: they stay as they are",
      {{"reason", changes.status().to_string()}}
  );
  source_retry_ = clock_.now() + options_.retry;
}

// Aliases first, for all of them: nothing here waits for a folder.
void StoredModels::take(SourceChanges changes) {
  std::set<std::string> gone(changes.gone.begin(), changes.gone.end());
  if (changes.whole) {
    for (const auto& [name, model] : models_) gone.insert(name);
  }
  for (SourceModel& model : changes.models) {
    gone.erase(model.name);
    take_model(std::move(model));
  }
  for (const std::string& name : gone) {
    const auto found = models_.find(name);
    if (found == models_.end()) continue;
    found->second.source.reset();
    found->second.faults.clear();
    tell(name, found->second, {});
    dirty_.insert(name);
  }
  tell_registry();
}

void StoredModels::take_model(SourceModel source) {
  const std::string name = source.name;
  Model& model = models_[name];
  // Other files under the same number have another chance. So has what could not be served at all:
  // its files may have been completed, which the source does not tell.
  std::erase_if(model.faults, [&](const auto& fault) {
    if (fault.second.retry == kNoDeadline) return true;
    const SourceVersion* now = find_version(source, fault.first);
    const SourceVersion* then = model.source ? find_version(*model.source, fault.first) : nullptr;
    return now == nullptr || then == nullptr || now->origin != then->origin;
  });
  StoredFacts facts = model.facts;
  facts.aliases = source.aliases;
  facts.previous = source.previous;
  facts.notes = source.notes;
  facts.permitted = source.permitted;
  model.source = std::move(source);
  tell(name, model, std::move(facts));
  dirty_.insert(name);
}

void StoredModels::tell(const std::string& name, Model& model, StoredFacts facts) {
  if (is_same(facts, model.facts)) return;
  for (const auto& [alias, version] : facts.aliases) {
    if (version == 0) continue;
    const auto before = model.facts.aliases.find(alias);
    if (before == model.facts.aliases.end() || before->second != version) ++alias_moves_;
  }
  told_[name] = model.facts = std::move(facts);
}

void StoredModels::tell_registry() {
  if (!told_.empty()) registry_.set_stored(std::exchange(told_, {}));
}

void StoredModels::take_work() {
  if (!work_ || !work_done_.exchange(false)) return;
  const Work work = *std::exchange(work_, std::nullopt);
  Model& model = models_.at(work.model);
  const std::int64_t number = work.order.version.number;
  dirty_.insert(work.model);
  if (work.status.ok()) {
    if (work.order.make) {
      ++made_;
      model.folders[number] = work.order.version.origin;
    } else {
      model.folders.erase(number);
    }
    return registry_.rescan_model(work.model);
  }
  ++failures_;
  const TimePoint retry = is_final(work.status) ? kNoDeadline : clock_.now() + options_.retry;
  model.faults[number] = {work.status, retry};
  log::warning(
      work.order.make ? "a stored version cannot be served"
                      : "the folder of a stored version cannot be removed",
      {{"model", work.model}, {"version", number}, {"reason", work.status.to_string()}}
  );
}

void StoredModels::forget_old_faults() {
  const bool all = again_asked_.exchange(false);
  for (auto& [name, model] : models_) {
    const std::size_t forgotten = std::erase_if(model.faults, [&](const auto& fault) {
      return all || (fault.second.retry != kNoDeadline && clock_.now() >= fault.second.retry);
    });
    if (forgotten > 0) dirty_.insert(name);
  }
}

void StoredModels::settle(const std::string& name, Model& model) {
  const auto index = registry_.index(name);
  const StoredPlan planned = plan(model, index);
  const auto loading = numbers_in(index, VersionState::kLoading);
  give_orders(name, model, planned, loading);
  tell(name, model, facts_of(model, planned));
  const bool pending = is_pending(model, planned, index);
  const bool failed = !numbers_in(index, VersionState::kFailed).empty();
  put(unsettled_, name, pending);
  put(watched_, name, pending || failed || !loading.empty() || !registry_.fault(name).ok());
  put(working_, name, !model.orders.empty());
  const bool busy = work_ && work_->model == name;
  if (!model.source && model.folders.empty() && !busy) models_.erase(name);
}

StoredPlan StoredModels::plan(const Model& model, const std::vector<IndexEntry>& index) const {
  StoredView view;
  view.versions_max = std::max<std::size_t>(1, options_.versions_max);
  if (!model.source || !is_folder_name(model.source->name)) return {};
  for (const SourceVersion& version : model.source->versions) {
    view.versions.push_back(version.number);
  }
  view.aliases = registry_.aliases(model.source->name);
  view.ready = numbers_in(index, VersionState::kReady);
  for (const IndexEntry& entry : index) {
    // Also a folder that the registry refuses: its reason is not one of ours.
    const bool refused = entry.state == VersionState::kUnavailable && !entry.reason.empty() &&
                         !model.facts.not_served.contains(number_of(entry));
    if (entry.state == VersionState::kFailed || refused) view.failed.insert(number_of(entry));
  }
  for (const auto& [version, fault] : model.faults) view.failed.insert(version);
  return plan_stored(view);
}

// New ones first: what they replace goes once they are there.
void StoredModels::give_orders(
    const std::string& name,
    Model& model,
    const StoredPlan& plan,
    const std::set<std::int64_t>& loading
) {
  model.orders.clear();
  for (auto it = plan.hold.rbegin(); it != plan.hold.rend(); ++it) {
    const SourceVersion* version = find_version(*model.source, *it);
    const auto folder = model.folders.find(*it);
    const bool stands = folder != model.folders.end() && folder->second == version->origin;
    if (!stands && !model.faults.contains(*it)) model.orders.push_back({*version, true});
  }
  for (const auto& [number, origin] : model.folders) {
    if (!plan.hold.contains(number) && !model.faults.contains(number))
      model.orders.push_back({{number, origin}, false});
  }
  // Somebody is at it.
  std::erase_if(model.orders, [&](const Order& order) {
    const std::int64_t number = order.version.number;
    const bool worked_on = work_ && work_->model == name && work_->order.version.number == number;
    return worked_on || loading.contains(number);
  });
}

StoredFacts StoredModels::facts_of(const Model& model, const StoredPlan& plan) const {
  StoredFacts out;
  if (!model.source) return out;
  out.aliases = model.source->aliases;
  out.previous = model.source->previous;
  out.notes = model.source->notes;
  out.permitted = model.source->permitted;
  const bool named = is_folder_name(model.source->name);
  const auto& versions = model.source->versions;
  const std::size_t shown = std::min(versions.size(), kShownMax);
  for (std::size_t i = versions.size() - shown; i < versions.size(); ++i) {
    const std::int64_t number = versions[i].number;
    if (plan.hold.contains(number)) continue;
    out.not_served[number] = named ? "not among the " + std::to_string(options_.versions_max) +
                                         " versions that are kept (models.stored_versions)"
                                   : "its model's name cannot be that of a model folder";
  }
  for (const auto& [number, why] : plan.left_out) out.not_served[number] = why;
  if (const Status fault = registry_.fault(model.source->name); !fault.ok()) {
    for (const std::int64_t number : plan.hold) out.not_served[number] = fault.text();
  }
  for (const auto& [number, fault] : model.faults) out.not_served[number] = fault.status.text();
  return out;
}

// Something that is held is neither ready nor has it failed, and the registry may load it.
bool StoredModels::is_pending(
    const Model& model, const StoredPlan& plan, const std::vector<IndexEntry>& index
) const {
  if (!model.orders.empty()) return true;
  if (!model.source || !registry_.fault(model.source->name).ok()) return false;
  std::set<std::int64_t> decided;
  for (const IndexEntry& entry : index) {
    const bool ours = model.facts.not_served.contains(number_of(entry));
    if (entry.state == VersionState::kUnavailable && ours) continue;
    if (entry.state != VersionState::kLoading) decided.insert(number_of(entry));
  }
  return std::any_of(plan.hold.begin(), plan.hold.end(), [&](std::int64_t version) {
    return !decided.contains(version) && !model.faults.contains(version);
  });
}

void StoredModels::start_work() {
  if (work_ || working_.empty()) return;
  // In turn, so that one model with many versions does not hold up the others.
  auto next = working_.upper_bound(last_worked_);
  if (next == working_.end()) next = working_.begin();
  last_worked_ = *next;
  Model& model = models_.at(last_worked_);
  work_ = Work{last_worked_, model.orders.front(), {}};
  model.orders.erase(model.orders.begin());
  if (model.orders.empty()) working_.erase(next);
  const bool taken = worker_->submit([this] {
    const Order& order = work_->order;
    work_->status = order.make ? folders_.make(source_, work_->model, order.version)
                               : folders_.remove(work_->model, order.version.number);
    work_done_ = true;
    wake();
  });
  CHECK(taken, "there is one order at a time");
}

// In the machine's time, which the mailbox waits in.
TimePoint StoredModels::wake_time() const {
  TimePoint due = source_retry_;
  for (const auto& [name, model] : models_) {
    for (const auto& [version, fault] : model.faults) due = std::min(due, fault.retry);
  }
  return due == kNoDeadline ? due : TimePoint::clock::now() + (due - clock_.now());
}

}  // namespace cortex::registry
