// SPDX-License-Identifier: Apache-2.0
#include "registry/reconciler.h"

#include <algorithm>
#include <exception>

#include "base/log.h"
#include "registry/model_config_reader.h"
#include "registry/probation.h"

namespace cortex::registry {
namespace {

constexpr std::size_t kCommandsMax = 256;

// Everything that keeps a lease valid, behind the ServingVersion that lessees see.
struct Lease {
  ServingVersion version;
  std::shared_ptr<const void> token;
};

double seconds(Duration duration) { return std::chrono::duration<double>(duration).count(); }

// The boundary to the engines: what a loader throws becomes the reason of its quarantine.
Result<LoadedModel> call_loader(
    const Loader& loader, Probation* probation, const Candidate& candidate
) {
  try {
    if (probation != nullptr) return probation->load(candidate, loader);
    return loader(candidate.config, candidate.folder, candidate.version);
  } catch (const std::exception& error) {
    return internal(std::string("the loader threw: ") + error.what());
  } catch (...) {  // An engine may throw anything; one bad model must not end the server.
    return internal("the loader threw something that is no exception");
  }
}

// Nothing when a stored version is not, or no longer, the one that was ordered.
std::optional<Result<LoadedModel>> load_candidate(
    const Loader& loader, Probation* probation, const Candidate& candidate, FolderLocks& locks
) {
  if (!candidate.stored) return call_loader(loader, probation, candidate);
  const FolderLocks::Reading reading(locks, candidate.folder);
  const auto fingerprint = stored_fingerprint(candidate.folder);
  if (!fingerprint.ok() || *fingerprint != candidate.fingerprint) return std::nullopt;
  return call_loader(loader, probation, candidate);
}

void log_load(const ModelIdentity& model, const Status& status, Duration took) {
  if (status.ok()) {
    log::info(
        "model loaded",
        {{"model", model.name}, {"version", model.version}, {"seconds", seconds(took)}}
    );
  } else {
    log::warning(
        "model version failed to load",
        {{"model", model.name}, {"version", model.version}, {"reason", status.to_string()}}
    );
  }
}

void log_folder(const ModelFolder& folder) {
  if (!folder.fault.ok()) {
    log::warning("model is quarantined", {{"model", folder.name}, {"reason", folder.fault.text()}});
  }
  for (const VersionFolder& version : folder.versions) {
    if (version.fault.ok()) continue;
    log::warning(
        "model version is quarantined",
        {{"model", folder.name}, {"version", version.version}, {"reason", version.fault.text()}}
    );
  }
  for (const std::string& field : folder.without_effect) {
    log::info("configuration field has no effect", {{"model", folder.name}, {"field", field}});
  }
}

}  // namespace

struct Registry::Reconciler::Bell {
  Mailbox<Command> inbox{kCommandsMax};

  void ring() { static_cast<void>(inbox.put(Command{})); }
};

struct Registry::Reconciler::Slot {
  // Of load_candidate(). The loader's until load_done, the registry thread's after.
  std::optional<Result<LoadedModel>> outcome;
  std::atomic<bool> load_done{false};
  std::atomic<bool> released{false};
};

Registry::Reconciler::Reconciler(RegistryOptions options, Loader loader, const Clock& clock)
    : options_(std::move(options)),
      loader_(std::move(loader)),
      clock_(clock),
      bell_(std::make_shared<Bell>()),
      board_(options_.default_alias),
      ledger_(options_.mode != ControlMode::kExplicit),
      loaders_(
          "loader",
          std::max<std::size_t>(1, options_.loader_threads),
          std::max<std::size_t>(1, options_.loader_threads)
      ) {}

Registry::Reconciler::~Reconciler() {
  drain();
  stop_asked_ = true;
  bell_->ring();
  thread_.join();
}

Status Registry::Reconciler::start() {
  CORTEX_ASSIGN_OR_RETURN(
      auto snapshot, read_repositories(options_.repositories, overrides_, stored_repository())
  );
  const bool all = std::find(options_.startup_models.begin(), options_.startup_models.end(), "*") !=
                   options_.startup_models.end();
  std::vector<std::string> names = options_.startup_models;
  if (all) names.clear();
  for (const auto& [name, folder] : snapshot.models) {
    if (all) names.push_back(name);
  }
  see(std::move(snapshot));
  if (options_.mode == ControlMode::kExplicit) {
    for (const std::string& name : names) want_at_start(name);
  }
  if (options_.mode == ControlMode::kPoll) next_poll_ = clock_.now() + options_.poll_period;
  // The first turn runs here, so that the index is complete when start() returns.
  std::vector<Command> none;
  turn(none);
  thread_ = Thread("registry", [this] { run(); });
  return {};
}

void Registry::Reconciler::want_at_start(const std::string& name) {
  ledger_.want(name);
  const auto outcome = ledger_.outcome(name);
  if (!outcome || outcome->code() != Code::kNotFound) return;
  log::warning("model failed to load", {{"model", name}, {"reason", outcome->to_string()}});
}

void Registry::Reconciler::load(const std::string& name, LoadOverride override_, Done done) {
  send({Command::Kind::kLoad, name, std::move(override_), std::move(done)});
}

void Registry::Reconciler::unload(const std::string& name, Done done) {
  send({Command::Kind::kUnload, name, {}, std::move(done)});
}

void Registry::Reconciler::send(Command command) {
  const Done done = command.done;
  if (options_.mode != ControlMode::kExplicit) {
    return done(failed_precondition(
        "explicit model load / unload is not allowed: the model control mode is not explicit"
    ));
  }
  if (drain_asked_ || !thread_.joinable())
    return done(unavailable("the registry does not take requests now"));
  if (bell_->inbox.put(std::move(command)) != Mailbox<Command>::Put::kAccepted) {
    done(resource_exhausted("more than " + std::to_string(kCommandsMax) + " load requests wait"));
  }
}

void Registry::Reconciler::rescan() {
  rescan_asked_ = true;
  bell_->ring();
}

// What does not fit into the inbox becomes a scan of all: nothing is lost.
void Registry::Reconciler::rescan_model(const std::string& name) {
  if (bell_->inbox.put({Command::Kind::kRescan, name, {}, {}}) !=
      Mailbox<Command>::Put::kAccepted) {
    rescan();
  }
}

void Registry::Reconciler::set_stored(std::map<std::string, StoredFacts> changed) {
  board_.set_stored(std::move(changed));
  bell_->ring();
}

void Registry::Reconciler::drain() {
  drain_asked_ = true;
  if (!thread_.joinable()) return;
  bell_->ring();
  std::vector<bool> nothing;
  if (drained_.take_all(nothing, TimePoint::clock::now() + options_.drain_deadline)) {
    log::warning("leases or loads outlive the drain deadline");
  }
  const MutexLock lock(listener_mutex_);
  listening_ = false;
}

void Registry::Reconciler::tell_change() {
  const MutexLock lock(listener_mutex_);
  if (listening_ && options_.on_change) options_.on_change();
}

RegistryCounts Registry::Reconciler::counts() const {
  return {.loads = loads_, .load_failures = load_failures_, .unloads = unloads_};
}

void Registry::Reconciler::run() {
  std::vector<Command> commands;
  while (!stop_asked_ || !idle()) {
    commands.clear();
    bell_->inbox.take_all(commands, wake_time());
    turn(commands);
  }
}

void Registry::Reconciler::turn(std::vector<Command>& commands) {
  if (drain_asked_ && !closed_) close();
  for (Command& command : commands) obey(command);
  if (rescan_asked_.exchange(false) || clock_.now() >= next_poll_) scan();
  collect_loaded();
  collect_released();
  LedgerPlan planned;
  const bool changed = board_.update([&](const ServingBoard::Pins& pins) {
    planned = plan(pins);
    return changes();
  });
  carry_out(planned);
  if (ledger_.settled()) settled_ = true;
  if (changed) tell_change();
  // Only now is nobody able to take a new lease on them.
  for (const LoadId id : planned.retire) serving_.at(id).token.reset();
  answer();
  complain_of_overdue();
  if (closed_ && idle()) drained_.close();
}

void Registry::Reconciler::obey(Command& command) {
  switch (command.kind) {
    case Command::Kind::kWake:
      return;
    case Command::Kind::kLoad:
      return obey_load(command);
    case Command::Kind::kUnload:
      return obey_unload(command);
    case Command::Kind::kRescan:
      return obey_rescan(command.name);
  }
}

void Registry::Reconciler::obey_load(Command& command) {
  if (closed_) return command.done(unavailable("the server is shutting down"));
  if (ledger_.is_stored(command.name) && command.override_.config_json) {
    return command.done(failed_precondition(
        "failed to load '" + command.name + "': the configuration of a stored model is in the store"
    ));
  }
  ConfigOverrides overrides = overrides_;
  overrides.erase(command.name);
  const bool overridden = command.override_.config_json.has_value();
  if (overridden) overrides[command.name] = *command.override_.config_json;
  auto folder = read_model(options_.repositories, command.name, overrides, stored_repository());
  // A configuration that cannot be used changes nothing.
  if (overridden && folder && !folder->fault.ok()) {
    return command.done(folder->fault.with_prefix("failed to load '" + command.name + "': "));
  }
  if (folder || ledger_.knows(command.name)) {
    overrides_ = std::move(overrides);
    const bool found = folder.has_value();
    ledger_.see_model(command.name, std::move(folder));
    if (found) ledger_.want(command.name, true);
  }
  load_answers_.emplace_back(command.name, std::move(command.done));
}

void Registry::Reconciler::obey_unload(Command& command) {
  if (!ledger_.knows(command.name)) {
    return command.done(not_found("failed to unload '" + command.name + "': no model of that name")
    );
  }
  if (ledger_.is_stored(command.name)) {
    return command.done(failed_precondition(
        "failed to unload '" + command.name + "': a stored model is served as the store says"
    ));
  }
  overrides_.erase(command.name);
  ledger_.unwant(command.name);
  unload_answers_.push_back(std::move(command.done));
}

void Registry::Reconciler::obey_rescan(const std::string& name) {
  if (closed_) return;
  auto folder = read_model(options_.repositories, name, overrides_, stored_repository());
  if (folder) log_folder(*folder);
  if (folder || ledger_.knows(name)) ledger_.see_model(name, std::move(folder));
}

// A repository that cannot be read for a moment must not unload everything in it.
void Registry::Reconciler::scan() {
  if (options_.mode == ControlMode::kPoll) next_poll_ = clock_.now() + options_.poll_period;
  if (closed_) return;
  auto snapshot = read_repositories(options_.repositories, overrides_, stored_repository());
  if (!snapshot.ok()) {
    log::error("the models stay as they are", {{"reason", snapshot.status().to_string()}});
    return;
  }
  see(std::move(*snapshot));
}

void Registry::Reconciler::see(RepositorySnapshot snapshot) {
  for (const std::string& note : snapshot.notes) log::info(note);
  for (const auto& [name, folder] : snapshot.models) log_folder(folder);
  ledger_.see(std::move(snapshot));
}

void Registry::Reconciler::close() {
  closed_ = true;
  for (const LoadOrder& order : waiting_) {
    ledger_.failed(order.id, unavailable("the server is shutting down"));
  }
  waiting_.clear();
  ledger_.close();
}

void Registry::Reconciler::collect_loaded() {
  for (auto it = running_.begin(); it != running_.end();) {
    if (!it->second.slot->load_done.load(std::memory_order_acquire)) {
      ++it;
      continue;
    }
    take_result(it->first, it->second);
    it = running_.erase(it);
  }
}

void Registry::Reconciler::take_result(LoadId id, const Running& running) {
  if (!running.slot->outcome) return forget_gone(id, running.order);
  Result<LoadedModel> outcome = std::move(*running.slot->outcome);
  running.slot->outcome.reset();
  const ModelIdentity identity{running.order.config.name, std::to_string(running.order.version)};
  const Duration took = clock_.now() - running.begun;
  ++(outcome.ok() ? loads_ : load_failures_);
  log_load(identity, outcome.status(), took);
  if (options_.on_load) options_.on_load(identity, took, outcome.status());
  if (!outcome.ok()) return ledger_.failed(id, outcome.status());
  CHECK(outcome->servable != nullptr, "a loader that succeeds gives a servable");
  std::shared_ptr<const void> token(
      running.slot.get(),
      [slot = running.slot, bell = bell_](const Slot*) {
        slot->released.store(true, std::memory_order_release);
        bell->ring();
      }
  );
  serving_.emplace(
      id,
      Serving{
          identity,
          running.order.version,
          running.order.stored,
          std::move(*outcome),
          running.slot,
          std::move(token)
      }
  );
  ledger_.loaded(id);
}

void Registry::Reconciler::forget_gone(LoadId id, const LoadOrder& order) {
  log::info(
      "model version went before it was loaded",
      {{"model", order.config.name}, {"version", order.version}}
  );
  ledger_.gone(id);
  obey_rescan(order.config.name);
}

void Registry::Reconciler::collect_released() {
  for (auto it = serving_.begin(); it != serving_.end();) {
    if (!it->second.slot->released.load(std::memory_order_acquire)) {
      ++it;
      continue;
    }
    const auto& [name, version] = it->second.identity;
    log::info("model unloaded", {{"model", name}, {"version", version}});
    ledger_.released(it->first);
    it = serving_.erase(it);
    ++unloads_;
  }
}

void Registry::Reconciler::carry_out(const LedgerPlan& plan) {
  waiting_.insert(waiting_.end(), plan.loads.begin(), plan.loads.end());
  for (const LoadId id : plan.retire) {
    serving_.at(id).overdue = clock_.now() + options_.drain_deadline;
  }
  start_waiting();
}

void Registry::Reconciler::start_waiting() {
  const std::size_t limit = std::max<std::size_t>(1, options_.loader_threads);
  while (running_.size() < limit && !waiting_.empty()) {
    LoadOrder order = std::move(waiting_.front());
    waiting_.pop_front();
    auto slot = std::make_shared<Slot>();
    const bool taken = loaders_.submit([this, slot, bell = bell_, candidate = candidate(order)] {
      slot->outcome = load_candidate(loader_, options_.probation, candidate, folder_locks_);
      slot->load_done.store(true, std::memory_order_release);
      bell->ring();
    });
    CHECK(taken, "the pool has room for as many loads as it has threads");
    const LoadId id = order.id;
    running_.emplace(id, Running{std::move(order), std::move(slot), clock_.now()});
  }
}

StoredRepository Registry::Reconciler::stored_repository() {
  return {options_.stored, &folder_locks_};
}

Candidate Registry::Reconciler::candidate(const LoadOrder& order) const {
  Candidate out{
      order.config, order.folder, order.version, order.fingerprint, order.stored, order.asked, {}
  };
  const auto override_ = overrides_.find(order.config.name);
  if (override_ != overrides_.end()) out.override_json = override_->second;
  return out;
}

LedgerPlan Registry::Reconciler::plan(const ServingBoard::Pins& pins) {
  for (const auto& [name, versions] : pins) ledger_.pin(name, versions);
  return ledger_.next();
}

ServingBoard::Changes Registry::Reconciler::changes() {
  ServingBoard::Changes out;
  out.closed = closed_;
  for (const std::string& name : ledger_.take_changed()) out.models[name] = held_model(name);
  return out;
}

std::shared_ptr<const ReconciledModel> Registry::Reconciler::held_model(const std::string& name
) const {
  auto out = std::make_shared<ReconciledModel>();
  out->entries = ledger_.index(name);
  out->fault = ledger_.fault(name);
  const auto ready = ledger_.ready(name);
  std::vector<std::string> versions;
  for (const LoadId id : ready) versions.push_back(serving_.at(id).identity.version);
  for (const LoadId id : ready) {
    const Serving& from = serving_.at(id);
    auto lease = std::make_shared<Lease>(Lease{
        {from.identity,
         from.model.config,
         from.model.signature,
         from.model.platform,
         from.model.facts,
         versions,
         from.model.servable.get(),
         from.number,
         from.stored},
        from.token,
    });
    const ServingVersion* version = &lease->version;
    out->ready.emplace_back(std::move(lease), version);
  }
  for (IndexEntry& entry : out->entries) {
    for (const LoadId id : ready) {
      const Serving& serving = serving_.at(id);
      if (serving.identity.version == entry.version)
        entry.memory_bytes = serving.model.memory_bytes;
    }
  }
  return out;
}

void Registry::Reconciler::answer() {
  for (const Done& done : std::exchange(unload_answers_, {})) done({});
  auto waiting = std::exchange(load_answers_, {});
  for (auto& [name, done] : waiting) {
    if (auto outcome = ledger_.outcome(name)) {
      done(*outcome);
    } else {
      load_answers_.emplace_back(std::move(name), std::move(done));
    }
  }
}

void Registry::Reconciler::complain_of_overdue() {
  for (auto& [id, serving] : serving_) {
    if (clock_.now() < serving.overdue) continue;
    const auto& [name, version] = serving.identity;
    log::warning("leases outlive the drain deadline", {{"model", name}, {"version", version}});
    serving.overdue += std::max(options_.drain_deadline, std::chrono::milliseconds(1'000));
  }
}

// In the machine's time, which the mailbox waits in.
TimePoint Registry::Reconciler::wake_time() const {
  TimePoint due = closed_ ? kNoDeadline : next_poll_;
  for (const auto& [id, serving] : serving_) due = std::min(due, serving.overdue);
  return due == kNoDeadline ? due : TimePoint::clock::now() + (due - clock_.now());
}

bool Registry::Reconciler::idle() const {
  return ledger_.empty() && running_.empty() && serving_.empty();
}

}  // namespace cortex::registry
