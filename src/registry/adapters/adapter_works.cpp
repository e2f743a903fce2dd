// SPDX-License-Identifier: Apache-2.0
#include "registry/adapters/adapter_works.h"

#include <algorithm>
#include <functional>
#include <iterator>
#include <set>
#include <utility>

#include "base/log.h"
#include "registry/adapters/adapter_catalog.h"
#include "registry/adapters/adapter_file.h"
#include "store/change_trim.h"

namespace cortex::registry {
namespace {

// A request for an adapter that could not be loaded gets the reason at once for this long.
constexpr std::chrono::seconds kFailureHolds{5};
constexpr std::size_t kChangesLookedAt = 1000;

ModelReference version_reference(const ModelIdentity& model) {
  return {model.name, model.version, "", ""};
}

Status in_words(const Status& status, const AdapterRecord& record, const AdapterFile& file) {
  return Status(
      status.code(),
      "adapter '" + record.name + "': " + file.named(status.text()),
      Detail{file.named(status.detail())}
  );
}

bool same_content(const AdapterRecord& a, const AdapterRecord& b) {
  return a.digest == b.digest && a.base_model == b.base_model;
}

}  // namespace

AdapterDesk::AdapterDesk(
    AdapterShelfOptions from, AdapterShelf::Acquire acquire, store::Store* kept, const Clock& time
)
    : options(std::move(from)), models(std::move(acquire)), store(kept), clock(time) {}

bool AdapterDesk::serves(const ModelIdentity& model, const Servable* servable) const {
  const Result<Handle> handle = models(version_reference(model));
  return handle.ok() && (*handle)->servable == servable;
}

AdapterLease AdapterDesk::hand_out_locked(
    AdapterEntry& entry, AdapterResidence& residence, std::optional<float> scale
) {
  residence.last_used = clock.now();
  entry.last_used_at = unix_milliseconds();
  ++entry.uses;
  ++*residence.held;
  AdapterLease out;
  out.identity = residence.identity;
  out.scale = scale.value_or(static_cast<float>(entry.record.scale));
  out.hold = std::shared_ptr<const void>(
      residence.held.get(),
      [held = residence.held, told = signal](const void*) {
        if (--*held == 0) told->tell({true, false, false});
      }
  );
  return out;
}

AdapterResidence& AdapterDesk::claim_locked(const std::string& name, const Handle& handle) {
  if (AdapterResidence* found = book.find(name, handle->servable)) return *found;
  AdapterResidence& made = book.residences.emplace_back();
  made.adapter = name;
  made.model = handle->identity;
  made.servable = handle->servable;
  return made;
}

Status no_adapter(const std::string& name) {
  return not_found("there is no adapter '" + name + "'");
}

Status told_to_requests(const Status& failure) {
  const Code code = failure.code();
  if (code == Code::kNotFound || code == Code::kResourceExhausted || code == Code::kUnavailable) {
    return failure;
  }
  return unavailable(failure.text()).with_retry_after(kFailureHolds);
}

void answer_all(std::vector<AdapterWaiter> waiters, const Status& status) {
  for (AdapterWaiter& waiter : waiters) waiter.done(status);
}

Result<AdapterRecord> AdapterWorks::record_of(const std::string& name) const {
  MutexLock lock(desk_.mutex);
  const auto found = desk_.book.entries.find(name);
  if (found == desk_.book.entries.end()) return no_adapter(name);
  return found->second.record;
}

Status AdapterWorks::write(const std::function<Status(store::Transaction&)>& work) {
  return desk_.store == nullptr ? Status() : desk_.store->write_and_wait(work);
}

Status AdapterWorks::read() {
  if (desk_.store == nullptr) return {};
  const std::int64_t revision = desk_.store->revision();
  std::vector<AdapterRecord> records;
  bool news = false;
  CORTEX_RETURN_IF_ERROR(desk_.store->read_and_wait([&](store::Transaction& transaction) -> Status {
    CORTEX_ASSIGN_OR_RETURN(news, news_of(transaction));
    if (!news) return {};
    CORTEX_ASSIGN_OR_RETURN(records, read_adapters(transaction));
    return {};
  }));
  seen_ = revision;
  return news ? adopt(std::move(records)) : Status();
}

// The feed is of all rooms: most of what it says is nothing to adapters.
Result<bool> AdapterWorks::news_of(store::Transaction& transaction) const {
  if (seen_ < 0) return true;
  CORTEX_ASSIGN_OR_RETURN(const bool trimmed, store::changes_were_trimmed(transaction, seen_));
  if (trimmed) return true;
  CORTEX_ASSIGN_OR_RETURN(
      const auto changes, store::changes_after(transaction, seen_, kChangesLookedAt)
  );
  return changes.size() >= kChangesLookedAt ||
         std::ranges::any_of(changes, [](const store::Change& change) {
           return change.kind == "adapter";
         });
}

// What another server of the same database changed is done here, too.
Status AdapterWorks::adopt(std::vector<AdapterRecord> records) {
  std::set<std::string> names;
  for (const AdapterRecord& record : records) {
    names.insert(record.name);
    const Status status = replace(record);
    if (!status.ok()) log::warning("adapter is not replaced", {{"reason", status.to_string()}});
  }
  std::vector<AdapterWaiter> waiters;
  {
    MutexLock lock(desk_.mutex);
    auto& entries = desk_.book.entries;
    for (auto entry = entries.begin(); entry != entries.end();) {
      if (names.contains(entry->first)) {
        ++entry;
        continue;
      }
      std::ranges::move(desk_.book.retire(entry->first), std::back_inserter(waiters));
      entry = entries.erase(entry);
    }
  }
  answer_all(std::move(waiters), not_found("the adapter was unregistered"));
  sweep();
  return {};
}

Status AdapterWorks::replace(const AdapterRecord& record) {
  const Result<AdapterRecord> before = record_of(record.name);
  const bool changed = before.ok() && !same_content(*before, record);
  Result<std::vector<AdapterResidence>> brought = std::vector<AdapterResidence>();
  if (changed) brought = bring_everywhere(record, false);
  std::vector<AdapterWaiter> waiters;
  {
    MutexLock lock(desk_.mutex);
    desk_.book.entries[record.name].record = record;
    // The old file must not answer for the new one.
    if (!brought.ok()) waiters = desk_.book.retire(record.name);
  }
  answer_all(std::move(waiters), brought.status());
  if (brought.ok()) settle(std::move(*brought));
  return brought.status();
}

Status AdapterWorks::enroll(AdapterRecord record, bool load) {
  CORTEX_RETURN_IF_ERROR(check_adapter(record, desk_.options.training_methods));
  {
    CORTEX_ASSIGN_OR_RETURN(
        const AdapterFile file,
        AdapterFile::open(desk_.options.folder, record.path, desk_.options.file_bytes_max)
    );
    record.path = file.below_folder();
    record.digest = file.digest();
    record.bytes = file.bytes();
  }
  record.updated_at = unix_milliseconds();
  record.created_at = record.updated_at;
  const Result<AdapterRecord> before = record_of(record.name);
  if (before.ok()) record.created_at = before->created_at;
  CORTEX_ASSIGN_OR_RETURN(auto brought, bring_everywhere(record, load || record.pinned));
  const Status kept =
      write([&](store::Transaction& transaction) { return put_adapter(transaction, record); });
  if (!kept.ok()) {
    drop(brought);
    return kept;
  }
  const bool moved = before.ok() && before->base_model != record.base_model;
  std::vector<AdapterWaiter> waiters;
  {
    MutexLock lock(desk_.mutex);
    if (moved) waiters = desk_.book.retire(record.name);
    desk_.book.entries[record.name].record = record;
    desk_.book.forgive(record.name);
    if (before.ok() && before->digest != record.digest) ++desk_.counted.swaps;
  }
  answer_all(std::move(waiters), not_found("the adapter is one of another model now"));
  settle(std::move(brought));
  return {};
}

// Where it is now, and with `load` where its model serves. All of them or none.
Result<std::vector<AdapterResidence>> AdapterWorks::bring_everywhere(
    const AdapterRecord& record, bool load
) {
  std::vector<Handle> homes = homes_of(record);
  if (load) {
    Result<Handle> home = desk_.models({record.base_model, "", "", ""});
    // One that is pinned waits for its model; one that somebody wants now does not.
    if (!home.ok() && !record.pinned) return home.status();
    const bool known = home.ok() && std::ranges::any_of(homes, [&](const Handle& one) {
                         return one->servable == (*home)->servable;
                       });
    if (home.ok() && !known) homes.push_back(*home);
  }
  std::vector<AdapterResidence> out;
  for (const Handle& home : homes) {
    if (is_loaded(record, home)) continue;
    Result<AdapterResidence> brought = bring(record, home, "");
    if (!brought.ok()) {
      drop(out);
      return brought.status();
    }
    out.push_back(*std::move(brought));
  }
  return out;
}

std::vector<Handle> AdapterWorks::homes_of(const AdapterRecord& record) const {
  std::vector<Handle> out;
  MutexLock lock(desk_.mutex);
  for (const AdapterResidence& one : desk_.book.residences) {
    if (one.adapter != record.name || one.phase != AdapterPhase::kLoaded) continue;
    if (one.model.name != record.base_model) continue;
    Result<Handle> handle = desk_.models(version_reference(one.model));
    if (handle.ok() && (*handle)->servable == one.servable) out.push_back(*handle);
  }
  return out;
}

bool AdapterWorks::is_loaded(const AdapterRecord& record, const Handle& home) const {
  MutexLock lock(desk_.mutex);
  const AdapterResidence* found = desk_.book.find(record.name, home->servable);
  return found != nullptr && found->identity == adapter_identity(record);
}

Status AdapterWorks::remove(const std::string& name) {
  CORTEX_RETURN_IF_ERROR(record_of(name).status());
  const Status gone =
      write([&](store::Transaction& transaction) { return delete_adapter(transaction, name); });
  if (!gone.ok() && gone.code() != Code::kNotFound) return gone;
  std::vector<AdapterWaiter> waiters;
  {
    MutexLock lock(desk_.mutex);
    waiters = desk_.book.retire(name);
    desk_.book.entries.erase(name);
  }
  answer_all(std::move(waiters), not_found("the adapter was unregistered"));
  sweep();
  return {};
}

Status AdapterWorks::load(const std::string& name) {
  CORTEX_ASSIGN_OR_RETURN(const AdapterRecord record, record_of(name));
  CORTEX_ASSIGN_OR_RETURN(const Handle handle, desk_.models({record.base_model, "", "", ""}));
  return load_into(name, handle, "");
}

Status AdapterWorks::unload(const std::string& name) {
  CORTEX_RETURN_IF_ERROR(record_of(name).status());
  std::vector<AdapterWaiter> waiters;
  {
    MutexLock lock(desk_.mutex);
    const std::size_t before = desk_.book.retired.size();
    waiters = desk_.book.retire(name);
    if (desk_.book.retired.size() > before) ++desk_.counted.unloads;
    desk_.book.find(name)->put_away = true;
  }
  answer_all(std::move(waiters), unavailable("the adapter was unloaded"));
  sweep();
  return {};
}

Status AdapterWorks::swap(const std::string& old, const std::string& next) {
  CORTEX_ASSIGN_OR_RETURN(AdapterRecord record, record_of(old));
  if (old == next) return enroll(std::move(record), false);
  CORTEX_ASSIGN_OR_RETURN(const AdapterRecord target, record_of(next));
  CORTEX_ASSIGN_OR_RETURN(const Handle handle, desk_.models({target.base_model, "", "", ""}));
  CORTEX_RETURN_IF_ERROR(load_into(next, handle, old));
  {
    MutexLock lock(desk_.mutex);
    ++desk_.counted.swaps;
  }
  return unload(old);
}

void AdapterWorks::load_for_requests(const std::string& name, const Handle& handle) {
  {
    MutexLock lock(desk_.mutex);
    AdapterResidence* residence = desk_.book.find(name, handle->servable);
    // All of them left, or another work was quicker.
    if (residence == nullptr || residence->phase != AdapterPhase::kLoading) return;
    if (residence->waiters.empty()) {
      desk_.book.retire(static_cast<std::size_t>(residence - desk_.book.residences.data()));
      return;
    }
  }
  // A failure was told to those who waited then; who came since has a load of his own.
  static_cast<void>(load_into(name, handle, ""));
}

Status AdapterWorks::load_into(
    const std::string& name, const Handle& handle, const std::string& also_going
) {
  const Result<AdapterRecord> record = record_of(name);
  if (!record.ok()) {
    note_failure(name, handle, record.status());
    return record.status();
  }
  {
    MutexLock lock(desk_.mutex);
    const AdapterResidence& residence = desk_.claim_locked(name, handle);
    if (residence.phase == AdapterPhase::kLoaded) return {};
  }
  Result<AdapterResidence> brought = bring(*record, handle, also_going);
  if (!brought.ok()) {
    note_failure(name, handle, brought.status());
    return brought.status();
  }
  std::vector<AdapterResidence> one;
  one.push_back(*std::move(brought));
  settle(std::move(one));
  return {};
}

Result<AdapterResidence> AdapterWorks::bring(
    const AdapterRecord& record, const Handle& handle, const std::string& also_going
) {
  LanguageControls* language = handle->servable->language();
  if (language == nullptr || handle->identity.name != record.base_model) {
    return invalid_argument("model '" + handle->identity.name + "' takes no adapters");
  }
  auto opened = AdapterFile::open(desk_.options.folder, record.path, desk_.options.file_bytes_max);
  if (!opened.ok()) {
    return failed_precondition("adapter '" + record.name + "': " + opened.status().text());
  }
  const AdapterFile file = *std::move(opened);
  if (file.digest() != record.digest) {
    return failed_precondition(
        "adapter '" + record.name + "': its file is not the one that was registered; register it " +
        "again"
    );
  }
  AdapterResidence out;
  out.adapter = record.name;
  out.model = handle->identity;
  out.servable = handle->servable;
  out.phase = AdapterPhase::kLoaded;
  out.identity = adapter_identity(record);
  const auto bytes = static_cast<std::size_t>(file.bytes());
  CORTEX_RETURN_IF_ERROR(clear_room(out, bytes, also_going));
  Result<std::size_t> loaded = language->load_adapter(out.identity, file.path());
  if (!loaded.ok()) return in_words(loaded.status(), record, file);
  out.bytes = std::max(*loaded, std::size_t{1});
  out.last_used = desk_.clock.now();
  out.loaded_at = unix_milliseconds();
  return out;
}

Status AdapterWorks::clear_room(
    const AdapterResidence& coming, std::size_t bytes, const std::string& also_going
) {
  {
    MutexLock lock(desk_.mutex);
    const auto all = desk_.book.places(coming.adapter, coming.servable, also_going);
    auto leave = make_room(all.places, desk_.options.limits, bytes);
    if (!leave.ok()) {
      ++desk_.counted.refusals;
      return leave.status();
    }
    std::ranges::sort(*leave, std::greater<>());
    for (const std::size_t place : *leave) {
      desk_.book.retire(all.residences[place]);
      ++desk_.counted.evictions;
    }
  }
  sweep();
  return {};
}

void AdapterWorks::settle(std::vector<AdapterResidence> brought) {
  std::vector<std::pair<AdapterLease, AdapterWaiter>> served;
  std::vector<AdapterWaiter> lost;
  {
    MutexLock lock(desk_.mutex);
    for (AdapterResidence& one : brought) {
      ++desk_.counted.loads;
      const std::string name = one.adapter;
      const Servable* servable = one.servable;
      const ModelIdentity model = one.model;
      auto waiters = desk_.book.settle(std::move(one));
      AdapterEntry* entry = desk_.book.find(name);
      // Told before it was in the book, the book would never forget it.
      if (entry == nullptr || !desk_.serves(model, servable)) {
        std::ranges::move(waiters, std::back_inserter(lost));
        AdapterResidence* home = desk_.book.find(name, servable);
        desk_.book.residences.erase(
            desk_.book.residences.begin() + (home - &desk_.book.residences[0])
        );
        continue;
      }
      for (AdapterWaiter& waiter : waiters) {
        AdapterResidence& home = *desk_.book.find(name, servable);
        auto lease = desk_.hand_out_locked(*entry, home, waiter.scale);
        served.emplace_back(std::move(lease), std::move(waiter));
      }
    }
  }
  for (auto& [lease, waiter] : served) waiter.done(std::move(lease));
  answer_all(std::move(lost), unavailable("the model was unloaded"));
  sweep();
}

// Of what was brought and is not to be named after all.
void AdapterWorks::drop(const std::vector<AdapterResidence>& brought) {
  {
    MutexLock lock(desk_.mutex);
    for (const AdapterResidence& one : brought) {
      desk_.book.retired.push_back({one.identity, one.model, one.servable, one.held});
    }
  }
  sweep();
}

void AdapterWorks::note_failure(
    const std::string& name, const Handle& handle, const Status& status
) {
  std::vector<AdapterWaiter> waiters;
  {
    MutexLock lock(desk_.mutex);
    AdapterResidence* residence = desk_.book.find(name, handle->servable);
    if (residence == nullptr || residence->phase != AdapterPhase::kLoading) return;
    ++desk_.counted.load_failures;
    waiters = std::exchange(residence->waiters, {});
    residence->phase = AdapterPhase::kFailed;
    residence->failure = status;
    // Want of room passes; a broken file stays one for a while.
    const bool passes = status.code() == Code::kResourceExhausted;
    residence->again_at = desk_.clock.now() + (passes ? Duration::zero() : Duration(kFailureHolds));
  }
  log::warning("adapter failed to load", {{"adapter", name}, {"reason", status.to_string()}});
  answer_all(std::move(waiters), told_to_requests(status));
}

bool AdapterWorks::tend(bool reread) {
  const Status status = reread ? read() : Status();
  if (!status.ok()) log::warning("adapters are not read", {{"reason", status.to_string()}});
  sweep();
  load_wanted();
  return status.ok();
}

void AdapterWorks::load_wanted() {
  std::vector<AdapterRecord> wanted;
  {
    MutexLock lock(desk_.mutex);
    for (const auto& [name, entry] : desk_.book.entries) {
      const bool stays = entry.record.pinned && !entry.put_away;
      if (entry.wanted || stays) wanted.push_back(entry.record);
    }
  }
  for (const AdapterRecord& record : wanted) {
    const Result<Handle> handle = desk_.models({record.base_model, "", "", ""});
    if (!handle.ok()) continue;
    {
      MutexLock lock(desk_.mutex);
      if (desk_.stopped) return;
      if (desk_.book.find(record.name, (*handle)->servable) != nullptr) continue;
    }
    const Status status = load_into(record.name, *handle, "");
    static_cast<void>(status);  // note_failure() told of it
  }
}

void AdapterWorks::sweep() {
  std::vector<RetiredAdapter> gone;
  {
    MutexLock lock(desk_.mutex);
    gone = desk_.book.take_released();
  }
  for (const RetiredAdapter& one : gone) {
    const Result<Handle> handle = desk_.models(version_reference(one.model));
    if (!handle.ok() || (*handle)->servable != one.servable) continue;
    static_cast<void>((*handle)->servable->language()->unload_adapter(one.identity));
  }
}

}  // namespace cortex::registry
