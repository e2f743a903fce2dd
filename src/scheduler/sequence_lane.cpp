// SPDX-License-Identifier: Apache-2.0
#include "scheduler/sequence_lane.h"

#include <map>
#include <random>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "base/thread.h"
#include "scheduler/sequence_core.h"

namespace cortex::scheduler {
namespace {

constexpr TimePoint kNoWait{};

// What came for the lane's thread since it looked last.
struct LaneNews {
  std::vector<SequenceArrival> arrivals;
  std::vector<std::shared_ptr<const NamedAdapter>> removed;
};

// Where other threads leave something for the lane's. The door bounds the arrivals. It outlives the
// lane where a stream still holds its wake function. Thread-safe.
class LaneInbox {
 public:
  // kNotFound: no such adapter; kUnavailable: the lane ends; and nothing taken.
  Code leave(SequenceArrival& arrival, const std::string& adapter) {
    MutexLock lock(mutex_);
    if (closed_) return Code::kUnavailable;
    if (!adapter.empty()) {
      const auto found = adapters_.find(adapter);
      if (found == adapters_.end()) return Code::kNotFound;
      arrival.adapter = found->second;
    }
    news_.arrivals.push_back(std::move(arrival));
    wake_locked();
    return Code::kOk;
  }

  void add_adapter(std::string name, std::shared_ptr<const backend::SequenceAdapter> adapter) {
    auto named = std::make_shared<NamedAdapter>();
    named->name = name;
    named->adapter = std::move(adapter);
    MutexLock lock(mutex_);
    named->number = ++numbers_;
    auto& place = adapters_[std::move(name)];
    if (place) news_.removed.push_back(std::move(place));
    place = std::move(named);
    wake_locked();
  }
  bool remove_adapter(const std::string& name) {
    MutexLock lock(mutex_);
    const auto found = adapters_.find(name);
    if (found == adapters_.end()) return false;
    news_.removed.push_back(std::move(found->second));
    adapters_.erase(found);
    wake_locked();
    return true;
  }

  void wake() {
    MutexLock lock(mutex_);
    wake_locked();
  }
  void close() {
    MutexLock lock(mutex_);
    closed_ = true;
    wake_locked();
  }

  // Waits for news until `until`, not at all for kNoWait; what there is. False when the lane ends.
  bool take(TimePoint until, LaneNews& news) {
    MutexLock lock(mutex_);
    while (until != kNoWait && !woken_ && !closed_) {
      if (!condition_.wait_until(mutex_, until)) break;
    }
    woken_ = false;
    news = std::exchange(news_, {});
    return !closed_;
  }
  // On the lane's thread, at its end.
  std::map<std::string, std::shared_ptr<const NamedAdapter>> take_adapters() {
    MutexLock lock(mutex_);
    return std::exchange(adapters_, {});
  }

 private:
  void wake_locked() REQUIRES_LOCK(mutex_) {
    woken_ = true;
    condition_.notify_one();
  }

  Mutex mutex_;
  Condition condition_;
  LaneNews news_ GUARDED_BY(mutex_);
  std::map<std::string, std::shared_ptr<const NamedAdapter>> adapters_ GUARDED_BY(mutex_);
  std::uint64_t numbers_ GUARDED_BY(mutex_) = 0;
  bool woken_ GUARDED_BY(mutex_) = false;
  bool closed_ GUARDED_BY(mutex_) = false;
};

SequenceCoreOptions sequence_core_options(
    const SequenceLaneOptions& options, const std::shared_ptr<LaneInbox>& inbox
) {
  SequenceCoreOptions core;
  core.identity = options.identity;
  core.running_max = options.running_max;
  core.queue_requests_max = options.queue_requests_max;
  core.queue_tokens_max = options.queue_tokens_max;
  core.queue_time_max = options.queue_time_max;
  core.stretch_max = options.stretch_max;
  core.token_interval = options.token_interval;
  core.prefix_cache = options.prefix_cache;
  core.draft_tokens_max = options.draft_tokens_max;
  core.saved_bytes_max = options.saved_bytes_max;
  core.seed = std::random_device{}();
  core.wake = [weak = std::weak_ptr<LaneInbox>(inbox)] {
    if (const auto alive = weak.lock()) alive->wake();
  };
  return core;
}

}  // namespace

struct SequenceLane::Inner {
  Inner(
      SequenceLaneOptions lane_options,
      std::shared_ptr<backend::SequenceBackend> engine,
      const Clock& lane_clock
  )
      : options(std::move(lane_options)),
        backend(std::move(engine)),
        clock(lane_clock),
        probe(options.probe ? options.probe : std::make_shared<SequenceProbe>()),
        core(sequence_core_options(options, inbox), *backend, *probe),
        thread("lane-" + options.identity.name, [this] { serve(); }) {}

  void serve();
  void take_in(LaneNews& news);
  [[nodiscard]] Status ending() const {
    return {Code::kUnavailable, "model '" + options.identity.name + "' is being unloaded"};
  }

  const SequenceLaneOptions options;
  const std::shared_ptr<backend::SequenceBackend> backend;
  const Clock& clock;
  const std::shared_ptr<SequenceProbe> probe;
  const std::shared_ptr<LaneInbox> inbox = std::make_shared<LaneInbox>();
  SequenceCore core;  // the thread's, but for door() and abort()
  Thread thread;
};

void SequenceLane::Inner::take_in(LaneNews& news) {
  for (SequenceArrival& arrival : news.arrivals) core.add(std::move(arrival));
  for (const auto& adapter : news.removed) core.forget_adapter(*adapter);
  news = {};
}

void SequenceLane::Inner::serve() {
  LaneNews news;
  TimePoint wait_until = kNoDeadline;
  while (inbox->take(wait_until, news)) {
    take_in(news);
    const SequenceCore::Turn turn = core.plan(clock.now());
    wait_until = turn.wait_until;
    if (turn.step == nullptr) continue;
    const TimePoint began = clock.now();
    const Status status = backend->decode(*turn.step);
    core.commit(status, began, clock.now());
    wait_until = kNoWait;
  }
  take_in(news);
  core.close(ending(), clock.now());
  const auto adapters = inbox->take_adapters();
}

SequenceLane::SequenceLane(
    SequenceLaneOptions options,
    std::shared_ptr<backend::SequenceBackend> backend,
    const Clock& clock
)
    : inner_(std::make_unique<Inner>(std::move(options), std::move(backend), clock)) {}

SequenceLane::~SequenceLane() {
  inner_->core.abort();
  inner_->inbox->close();
  inner_->thread.join();
}

void SequenceLane::submit(
    std::shared_ptr<const Request> request, std::shared_ptr<ResponseStream> stream
) {
  Status status = inner_->core.door().enter(*request);
  if (!status.ok()) return stream->finish(std::move(status));
  const auto& input = std::get<SequenceInput>(request->input);
  SequenceArrival arrival{request, stream, nullptr, inner_->clock.now()};
  const Code code = inner_->inbox->leave(arrival, input.adapter);
  if (code == Code::kOk) return;
  inner_->core.door().leave(*request);
  if (code != Code::kNotFound) {
    SequenceProbe::add(inner_->probe->rejected_closed);
    return stream->finish(inner_->ending());
  }
  SequenceProbe::add(inner_->probe->rejected_adapter);
  stream->finish(Status(
      Code::kNotFound,
      "model '" + inner_->options.identity.name + "' has no adapter '" + input.adapter + "'"
  ));
}

void SequenceLane::drain() { inner_->core.door().drain(); }

void SequenceLane::add_adapter(
    std::string name, std::shared_ptr<const backend::SequenceAdapter> adapter
) {
  inner_->inbox->add_adapter(std::move(name), std::move(adapter));
}

bool SequenceLane::remove_adapter(const std::string& name) {
  return inner_->inbox->remove_adapter(name);
}

const SequenceProbe& SequenceLane::probe() const { return *inner_->probe; }

}  // namespace cortex::scheduler
