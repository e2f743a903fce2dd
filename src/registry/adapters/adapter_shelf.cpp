// SPDX-License-Identifier: Apache-2.0
#include "registry/adapters/adapter_shelf.h"

#include <algorithm>
#include <atomic>
#include <iterator>
#include <utility>

#include "registry/adapters/adapter_works.h"
#include "request/adapter_choice.h"

namespace cortex::registry {
namespace {

// After a store that did not answer, and a queue that was full.
constexpr std::chrono::seconds kTendAgainAfter{1};
constexpr std::chrono::milliseconds kWaitAgainAfter{1000};

Status no_adapter_over(const std::string& model, const std::string& adapter) {
  return not_found("model '" + model + "' has no adapter '" + adapter + "'");
}

// Which adapter the reference names: its own name may be one.
Result<AdapterChoice> choice_of(const ModelReference& reference) {
  if (!reference.adapter.empty()) return AdapterChoice::parse(reference.adapter);
  return AdapterChoice{reference.name, std::nullopt};
}

}  // namespace

struct AdapterShelf::Inner {
  Inner(AdapterShelfOptions options, Acquire models, store::Store* store, const Clock& clock)
      : desk(std::move(options), std::move(models), store, clock), works(desk) {}

  // False when the queue is full or the shelf has stopped.
  bool submit(std::function<void()> job);
  void work(std::function<Status()> job, std::function<void(Status)> done);
  void work_on(const std::string& name, std::function<Status()> job, Done done);
  [[nodiscard]] std::optional<AdapterState> find(const std::string& name) const;
  [[nodiscard]] std::optional<std::string> base_of(const std::string& name) const;
  Result<std::optional<AdapterLease>> lend(
      const std::string& name, const Handle& handle, AdapterWaiter waiter
  );
  Status queue_up_locked(const std::string& name, const Handle& handle, AdapterWaiter&& waiter)
      REQUIRES_LOCK(desk.mutex);
  void watch();
  void tend(bool reread);
  void expire(TimePoint& next);

  AdapterDesk desk;
  std::atomic<bool> unread{false};  // the store did not answer
  AdapterWorks works;
  Mutex pool_mutex;  // requests submit while the end takes the pool away
  std::unique_ptr<ThreadPool> pool GUARDED_BY(pool_mutex
  ) = std::make_unique<ThreadPool>("adapters", 1, kAdapterWorksMax);
  Thread watcher;
};

bool AdapterShelf::Inner::submit(std::function<void()> job) {
  MutexLock lock(pool_mutex);
  return pool != nullptr && pool->submit(std::move(job));
}

void AdapterShelf::Inner::work(std::function<Status()> job, std::function<void(Status)> done) {
  const auto run = [this, job = std::move(job), done] {
    bool ended = false;
    {
      MutexLock lock(desk.mutex);
      ended = desk.stopped;
    }
    done(ended ? unavailable("the server is shutting down") : job());
  };
  if (submit(run)) return;
  done(resource_exhausted("too many changes of adapters are waiting")
           .with_retry_after(kWaitAgainAfter));
}

void AdapterShelf::Inner::work_on(const std::string& name, std::function<Status()> job, Done done) {
  work(std::move(job), [this, name, done = std::move(done)](const Status& status) {
    if (!status.ok()) return done(status);
    auto state = find(name);
    if (!state) return done(no_adapter(name));
    done(*std::move(state));
  });
}

std::optional<AdapterState> AdapterShelf::Inner::find(const std::string& name) const {
  MutexLock lock(desk.mutex);
  const auto found = desk.book.entries.find(name);
  if (found == desk.book.entries.end()) return std::nullopt;
  return desk.book.state_of(found->second);
}

std::optional<std::string> AdapterShelf::Inner::base_of(const std::string& name) const {
  MutexLock lock(desk.mutex);
  const auto found = desk.book.entries.find(name);
  if (found == desk.book.entries.end()) return std::nullopt;
  return found->second.record.base_model;
}

// The lease where it is loaded; nothing where the waiter waits.
Result<std::optional<AdapterLease>> AdapterShelf::Inner::lend(
    const std::string& name, const Handle& handle, AdapterWaiter waiter
) {
  const TimePoint now = desk.clock.now();
  MutexLock lock(desk.mutex);
  if (desk.stopped) return unavailable("the server is shutting down");
  AdapterEntry* entry = desk.book.find(name);
  if (entry == nullptr || entry->record.base_model != handle->identity.name) {
    return no_adapter_over(handle->identity.name, name);
  }
  AdapterResidence* residence = desk.book.find(name, handle->servable);
  if (residence != nullptr && residence->phase == AdapterPhase::kLoaded) {
    return std::optional(desk.hand_out_locked(*entry, *residence, waiter.scale));
  }
  if (residence != nullptr && residence->phase == AdapterPhase::kFailed &&
      now < residence->again_at) {
    return told_to_requests(residence->failure);
  }
  CORTEX_RETURN_IF_ERROR(queue_up_locked(name, handle, std::move(waiter)));
  return std::optional<AdapterLease>();
}

Status AdapterShelf::Inner::queue_up_locked(
    const std::string& name, const Handle& handle, AdapterWaiter&& waiter
) {
  if (desk.book.waiting() >= desk.options.waiting_max) {
    ++desk.counted.refusals;
    return resource_exhausted("too many requests wait for adapters to be loaded")
        .with_retry_after(kWaitAgainAfter);
  }
  AdapterResidence& residence = desk.claim_locked(name, handle);
  const bool first = residence.phase != AdapterPhase::kLoading || residence.waiters.empty();
  residence.phase = AdapterPhase::kLoading;
  if (first && !submit([this, name, handle] { works.load_for_requests(name, handle); })) {
    ++desk.counted.refusals;
    std::erase_if(desk.book.residences, [&](const AdapterResidence& one) {
      return &one == &residence && one.waiters.empty();
    });
    return resource_exhausted("too many adapters wait to be loaded")
        .with_retry_after(kWaitAgainAfter);
  }
  residence.waiters.push_back(std::move(waiter));
  desk.signal->wake();
  return {};
}

void AdapterShelf::Inner::expire(TimePoint& next) {
  std::vector<AdapterWaiter> over;
  {
    MutexLock lock(desk.mutex);
    over = desk.book.expire(desk.clock.now(), next);
    desk.counted.refusals += over.size();
  }
  answer_all(
      std::move(over),
      unavailable("the adapter was not loaded in time").with_retry_after(kWaitAgainAfter)
  );
}

void AdapterShelf::Inner::tend(bool reread) {
  if (works.tend(reread)) return;
  unread = true;
  desk.signal->wake();
}

void AdapterShelf::Inner::watch() {
  TimePoint again = kNoDeadline;
  AdapterSignal::News due;
  while (true) {
    TimePoint next = again;
    expire(next);
    // In the machine's time, which the signal waits in.
    const TimePoint until =
        next == kNoDeadline ? next : TimePoint::clock::now() + (next - desk.clock.now());
    const AdapterSignal::News news = desk.signal->wait(until);
    if (news.ended) return;
    due.tend |= news.tend;
    due.reread |= news.reread;
    if (unread.exchange(false)) {
      due.reread = true;
      again = desk.clock.now() + kTendAgainAfter;
    }
    if (again != kNoDeadline && desk.clock.now() < again) continue;
    again = kNoDeadline;
    if (!due.tend && !due.reread) continue;
    if (submit([this, reread = due.reread] { tend(reread); })) {
      due = {};
    } else {
      again = desk.clock.now() + kTendAgainAfter;
    }
  }
}

AdapterShelf::AdapterShelf(
    AdapterShelfOptions options, Acquire models, store::Store* store, const Clock& clock
)
    : inner_(std::make_unique<Inner>(std::move(options), std::move(models), store, clock)) {}

AdapterShelf::~AdapterShelf() { stop(); }

Status AdapterShelf::start() {
  CORTEX_RETURN_IF_ERROR(inner_->works.read());
  inner_->watcher = Thread("adapters", [inner = inner_.get()] { inner->watch(); });
  inner_->desk.signal->tell({true, false, false});
  return {};
}

void AdapterShelf::stop() {
  std::vector<AdapterWaiter> waiters;
  {
    MutexLock lock(inner_->desk.mutex);
    inner_->desk.stopped = true;
    for (AdapterResidence& one : inner_->desk.book.residences) {
      std::ranges::move(one.waiters, std::back_inserter(waiters));
      one.waiters.clear();
    }
  }
  answer_all(std::move(waiters), unavailable("the server is shutting down"));
  inner_->desk.signal->tell({false, false, true});
  inner_->watcher.join();
  std::unique_ptr<ThreadPool> ended;
  {
    MutexLock lock(inner_->pool_mutex);
    ended = std::move(inner_->pool);
  }
  // Finishes what it took, which does nothing any more.
  ended.reset();
}

void AdapterShelf::enroll(AdapterRecord adapter, bool load, Done done) {
  const std::string name = adapter.name;
  const auto job = [this, adapter = std::move(adapter), load] {
    return inner_->works.enroll(adapter, load);
  };
  inner_->work_on(name, job, std::move(done));
}

void AdapterShelf::enroll_new(AdapterRecord adapter, Done done) {
  const std::string name = adapter.name;
  const auto job = [this, adapter = std::move(adapter)] {
    if (inner_->find(adapter.name)) {
      return already_exists("there is an adapter '" + adapter.name + "' already");
    }
    return inner_->works.enroll(adapter, true);
  };
  inner_->work_on(name, job, std::move(done));
}

void AdapterShelf::remove(const std::string& name, std::function<void(Status)> done) {
  inner_->work([this, name] { return inner_->works.remove(name); }, std::move(done));
}

void AdapterShelf::load(const std::string& name, Done done) {
  inner_->work_on(name, [this, name] { return inner_->works.load(name); }, std::move(done));
}

void AdapterShelf::unload(const std::string& name, Done done) {
  inner_->work_on(name, [this, name] { return inner_->works.unload(name); }, std::move(done));
}

void AdapterShelf::swap(const std::string& old, const std::string& next, Done done) {
  const auto job = [this, old, next] { return inner_->works.swap(old, next); };
  inner_->work_on(next, job, std::move(done));
}

std::vector<AdapterState> AdapterShelf::list() const {
  MutexLock lock(inner_->desk.mutex);
  std::vector<AdapterState> out;
  for (const auto& [name, entry] : inner_->desk.book.entries) {
    out.push_back(inner_->desk.book.state_of(entry));
  }
  return out;
}

std::optional<AdapterState> AdapterShelf::find(const std::string& name) const {
  return inner_->find(name);
}

AdapterCounts AdapterShelf::counts() const {
  MutexLock lock(inner_->desk.mutex);
  return inner_->desk.counted;
}

const AdapterLimits& AdapterShelf::limits() const { return inner_->desk.options.limits; }

Result<Handle> AdapterShelf::acquire(const ModelReference& reference) const {
  const AdapterDesk& desk = inner_->desk;
  if (reference.adapter.empty()) {
    Result<Handle> model = desk.models(reference);
    const bool plain = reference.version.empty() && reference.alias.empty();
    if (model.ok() || model.status().code() != Code::kNotFound || !plain) return model;
    const auto base = inner_->base_of(reference.name);
    return base ? desk.models({*base, "", "", ""}) : std::move(model);
  }
  ModelReference base = reference;
  base.adapter.clear();
  CORTEX_ASSIGN_OR_RETURN(Handle handle, desk.models(base));
  CORTEX_ASSIGN_OR_RETURN(const AdapterChoice choice, choice_of(reference));
  if (inner_->base_of(choice.name) != reference.name) {
    return no_adapter_over(reference.name, choice.name);
  }
  return handle;
}

void AdapterShelf::lend(
    const ModelReference& reference, const Handle& handle, TimePoint deadline, Lend done
) {
  const TimePoint until = std::min(deadline, inner_->desk.clock.now() + inner_->desk.options.wait);
  const Result<AdapterChoice> choice = choice_of(reference);
  if (!choice.ok()) return done(choice.status());
  auto lease = inner_->lend(choice->name, handle, {until, choice->scale, done});
  if (!lease.ok()) return done(lease.status());
  if (*lease) done(**std::move(lease));
}

void AdapterShelf::models_changed() {
  AdapterDesk& desk = inner_->desk;
  std::vector<AdapterWaiter> waiters;
  {
    MutexLock lock(desk.mutex);
    waiters = desk.book.forget([&desk](const ModelIdentity& model, const Servable* servable) {
      return desk.serves(model, servable);
    });
  }
  answer_all(std::move(waiters), unavailable("the model was unloaded"));
  desk.signal->tell({true, false, false});
}

void AdapterShelf::catalog_changed() { inner_->desk.signal->tell({true, true, false}); }

}  // namespace cortex::registry
