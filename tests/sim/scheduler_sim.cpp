// SPDX-License-Identifier: Apache-2.0
// Simulates a lane on a virtual clock: arrivals, cancellations, deadlines, instances that sleep and
// are woken, in an order that a seed decides. Drives the very LaneCore that serves, and checks
// after every step what must always hold.
//
//   scheduler_sim SEEDS [FIRST]
//
// On a failure it prints the seed; `scheduler_sim 1 SEED` repeats it.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "scheduler/lane_core.h"
#include "scheduler/length_buckets.h"

namespace cortex::scheduler {
namespace {

using std::chrono::microseconds;

// What the simulation knows of a request, apart from the core.
struct Fate {
  std::size_t level = 0;
  std::size_t ahead = 0;             // waiting in its level when it came
  std::size_t batches_at_start = 0;  // that its level had led until then
  std::uint64_t number = 0;          // in order of arrival
  bool waits = false;
  bool ended = false;
};

struct Instance {
  enum class State { kAwake, kSleeping, kRunning };
  State state = State::kAwake;
  TimePoint until{};  // of the sleep or the run
  Batch batch;
  bool borrowed = false;  // a submitting thread that runs one request inline
};

class World {
 public:
  explicit World(std::uint64_t seed)
      : random_(seed), options_(make_options()), core_(options_, probe_) {
    instances_.resize(options_.instances);
  }

  // The first thing that did not hold; empty when all did.
  std::string_view live() {
    const std::size_t steps = 1000 + pick(2000);
    const std::size_t closes_at = chance(20) ? pick(steps) : steps;
    for (std::size_t i = 0; i < steps && fault_.empty(); ++i) {
      if (i == closes_at) core_.drain();
      step(true);
    }
    if (chance(20)) close();
    while (fault_.empty() && step(false)) {
    }
    check_nobody_is_left();
    return fault_;
  }

 private:
  std::size_t pick(std::size_t below) {
    return below == 0 ? 0 : std::uniform_int_distribution<std::size_t>(0, below - 1)(random_);
  }
  bool chance(std::size_t percent) { return pick(100) < percent; }
  TimePoint now() const { return clock_.now(); }

  void require(bool holds, std::string_view what) {
    if (!holds && fault_.empty()) fault_ = what;
  }

  LaneCoreOptions make_options() {
    LaneCoreOptions options;
    options.model = "m";
    options.rows_max = std::vector<std::size_t>{1, 4, 8, 16}[pick(4)];
    options.instances = 1 + pick(3);
    options.queue_size_max = 1 + pick(60);
    options.run_inline = chance(50);
    options.batching.queue_delay_max = microseconds(chance(50) ? 0 : 1 + pick(5000));
    options.batching.preserve_ordering = chance(25);
    if (chance(30)) options.batching.preferred_sizes = {2, 4};
    options.batching.default_policy = make_policy();
    options.batching.priority_levels = static_cast<std::uint32_t>(chance(40) ? 1 + pick(3) : 0);
    options.batching.default_priority = 1;
    if (options.batching.priority_levels > 1) options.batching.policies[2] = make_policy();
    pads_ = chance(50);
    keys_ = 1 + pick(3);
    run_max_ = microseconds(chance(50) ? 20 : 4000);
    gap_max_ = microseconds(1 + pick(1500));
    return options;
  }

  QueuePolicy make_policy() {
    QueuePolicy policy;
    policy.queue_size_max = chance(30) ? 1 + pick(20) : 0;
    policy.timeout = microseconds(chance(50) ? 0 : 1 + pick(20'000));
    policy.delay_on_timeout = chance(40);
    policy.allow_timeout_override = chance(50);
    return policy;
  }

  // One thing that happens: a thread that is awake goes on, a request comes, somebody leaves, or
  // time passes. False when there is nothing left to happen.
  bool step(bool arrivals) {
    if (arrivals && chance(35)) {
      submit();
    } else if (arrivals && chance(8)) {
      cancel_somebody();
    } else if (Instance* awake = some_instance(Instance::State::kAwake)) {
      serve(*awake);
    } else {
      check_somebody_will_look();
      if (!pass_time(arrivals)) return false;
    }
    check_queue();
    return true;
  }

  Instance* some_instance(Instance::State state) {
    std::vector<Instance*> found;
    for (Instance& instance : instances_) {
      if (instance.state == state) found.push_back(&instance);
    }
    return found.empty() ? nullptr : found[pick(found.size())];
  }

  void notify_one() {
    if (Instance* sleeper = some_instance(Instance::State::kSleeping)) {
      sleeper->state = Instance::State::kAwake;
    }
  }

  Waiting make_waiting() {
    auto request = std::make_shared<Request>();
    request->priority = pick(options_.batching.priority_levels + 2);
    if (chance(20)) request->deadline = now() + microseconds(pick(10'000));
    if (chance(20)) request->queue_timeout = microseconds(pick(10'000));
    Waiting waiting;
    waiting.request = std::move(request);
    waiting.stream = std::make_shared<ResponseStream>();
    waiting.rows = static_cast<std::uint32_t>(1 + (chance(30) ? pick(options_.rows_max) : 0));
    waiting.length = pads_ ? static_cast<std::uint32_t>(1 + pick(300)) : 0;
    waiting.key = pick(keys_);
    waiting.alone = options_.rows_max == 1 || chance(5);
    return waiting;
  }

  void submit() {
    Waiting waiting = make_waiting();
    const auto stream = waiting.stream;
    Fate& fate = fates_[stream.get()];
    fate.number = submitted_++;
    streams_.push_back(stream);
    Instance borrowed;
    if (core_.start_inline(waiting, 64, now(), borrowed.batch)) {
      require(!borrowed.batch.members.empty(), "an inline run without a request");
      check_inline_order();
      borrowed.borrowed = true;
      run(borrowed);
      instances_.push_back(std::move(borrowed));
      return;
    }
    std::vector<Ending> endings;
    const auto admission = core_.add(waiting, now(), endings);
    end(endings);
    if (admission.wake) notify_one();
    if (!admission.status.ok()) {
      require(waiting.stream == stream, "a refused request was taken");
      fate.ended = true;
      return;
    }
    note_admission(stream.get(), fate);
  }

  void note_admission(const ResponseStream* stream, Fate& fate) {
    fate.waits = true;
    ++known_waiting_;
    for (std::size_t level = 0; level < core_.queue().size(); ++level) {
      const auto& waiting = core_.queue()[level].waiting;
      if (!waiting.empty() && waiting.back().stream.get() == stream) {
        fate.level = level;
        fate.ahead = waiting.size() - 1;
      }
    }
    fate.batches_at_start = led_by(fate.level);
  }

  void cancel_somebody() {
    const std::size_t recent = std::min<std::size_t>(streams_.size(), 40);
    if (recent > 0) streams_[streams_.size() - 1 - pick(recent)]->cancel();
  }

  // What TensorLane::take and serve do.
  void serve(Instance& instance) {
    std::vector<Ending> endings;
    const auto next = core_.next(now(), instance.batch, endings);
    end(endings);
    if (next.wake_another) notify_one();
    if (next.run) {
      check_batch(instance.batch);
      run(instance);
    } else if (endings.empty()) {
      instance.state = Instance::State::kSleeping;
      instance.until = next.wait_until;
    }
  }

  void run(Instance& instance) {
    instance.state = Instance::State::kRunning;
    instance.until = now() + microseconds(1 + pick(static_cast<std::size_t>(run_max_.count())));
    for (const Waiting& member : instance.batch.members) {
      Fate& fate = fates_[member.stream.get()];
      require(!fate.ended, "a request runs that had ended");
      if (std::exchange(fate.waits, false)) --known_waiting_;
    }
    require(core_.running() <= options_.instances, "more batches run than there are instances");
  }

  void finish(Instance& instance) {
    for (const Waiting& member : instance.batch.members) {
      Fate& fate = fates_[member.stream.get()];
      require(!fate.ended, "a request ends twice");
      fate.ended = true;
    }
    const std::size_t members = instance.batch.members.size();
    instance.batch = Batch{};
    instance.state = Instance::State::kAwake;
    if (core_.done(members, microseconds(5))) notify_one();
  }

  void end(const std::vector<Ending>& endings) {
    for (const Ending& ending : endings) {
      Fate& fate = fates_[ending.stream.get()];
      require(fate.waits && !fate.ended, "a request ends that did not wait");
      require(!ending.status.ok(), "a request ends well without a run");
      if (std::exchange(fate.waits, false)) --known_waiting_;
      fate.ended = true;
    }
  }

  void close() {
    std::vector<Ending> endings;
    core_.close(endings);
    end(endings);
    require(core_.waiting() == 0, "requests wait in a closed lane");
  }

  bool pass_time(bool arrivals) {
    TimePoint next =
        arrivals ? now() + microseconds(1 + pick(static_cast<std::size_t>(gap_max_.count())))
                 : kNoDeadline;
    for (const Instance& instance : instances_) {
      if (instance.state != Instance::State::kAwake) next = std::min(next, instance.until);
    }
    if (next == kNoDeadline) return false;
    clock_.advance(std::max(next - now(), Duration::zero()));
    for (Instance& instance : instances_) {
      if (instance.until > now()) continue;
      if (instance.state == Instance::State::kSleeping) instance.state = Instance::State::kAwake;
      if (instance.state == Instance::State::kRunning) finish(instance);
    }
    std::erase_if(instances_, [](const Instance& instance) {
      return instance.borrowed && instance.state != Instance::State::kRunning;
    });
    return true;
  }

  // Before time passes: what could run runs, and what will be due is known to somebody who sleeps
  // until then.
  void check_somebody_will_look() {
    if (core_.running() >= options_.instances || core_.waiting() == 0) return;
    const BatchPlan plan = core_.policy().next(core_.queue(), now());
    require(plan.take.empty(), "an instance sleeps although a batch could run");
    TimePoint first = kNoDeadline;
    for (const Instance& instance : instances_) {
      if (instance.state == Instance::State::kSleeping) first = std::min(first, instance.until);
    }
    require(first <= plan.wait_until, "nobody wakes when the batch's delay is over");
    for (const Level& level : core_.queue()) {
      for (const Waiting& waiting : level.waiting) {
        require(first <= waiting.expires, "nobody wakes when a request expires");
      }
    }
  }

  void check_queue() {
    std::size_t waiting = 0;
    for (std::size_t level = 0; level < core_.queue().size(); ++level) {
      waiting += core_.queue()[level].waiting.size();
      require(
          core_.queue()[level].passed_over <= BatchPolicy::kPassedOverMax + core_.queue().size(),
          "a level starves"
      );
    }
    require(
        waiting == core_.waiting() && waiting == known_waiting_, "requests were lost or doubled"
    );
    require(waiting <= options_.queue_size_max, "the queue is longer than its bound");
  }

  void check_inline_order() { require(core_.waiting() == 0, "an inline run overtakes the queue"); }

  void check_batch(const Batch& batch) {
    std::size_t rows = 0;
    PaddingCost cost;
    std::uint64_t real = 0;
    for (const Waiting& member : batch.members) {
      rows += member.rows;
      cost.add(member.rows, member.length);
      real += std::uint64_t{member.rows} * member.length;
      require(member.key == batch.members.front().key, "a batch mixes what cannot share one");
      require(!member.alone || batch.members.size() == 1, "a request was to run alone");
      require(member.expires > now(), "a request runs that has expired");
      require(!member.stream->cancelled(), "a request runs whose client left");
      check_overtaking(fates_[member.stream.get()]);
    }
    require(
        rows == batch.rows && rows <= options_.rows_max, "a batch has more rows than its limit"
    );
    require(cost.padding() * 8 <= real, "a batch is padded beyond its bound");
    ++led_[fates_[batch.members.front().stream.get()].level];
    check_order(batch);
  }

  // Its level led at most as many batches as requests stood before it; twice that where requests
  // are put behind.
  void check_overtaking(const Fate& fate) {
    const std::size_t batches = led_by(fate.level) - fate.batches_at_start;
    const std::size_t allowed = fate.ahead + (delays() ? options_.queue_size_max : 0);
    require(batches <= allowed, "a request was overtaken too often");
  }

  void check_order(const Batch& batch) {
    if (!options_.batching.preserve_ordering || core_.queue().size() > 1 || delays()) return;
    for (const Waiting& member : batch.members) {
      const std::uint64_t number = fates_[member.stream.get()].number;
      require(!last_number_ || *last_number_ < number, "the order was not kept");
      last_number_ = number;
    }
  }

  void check_nobody_is_left() {
    for (const auto& [stream, fate] : fates_) require(fate.ended, "a request never ended");
  }

  bool delays() const {
    const auto& batching = options_.batching;
    bool any = batching.default_policy.delay_on_timeout;
    for (const auto& [level, policy] : batching.policies) any = any || policy.delay_on_timeout;
    return any;
  }
  std::size_t led_by(std::size_t level) { return led_[level]; }

  std::mt19937_64 random_;
  VirtualClock clock_;
  bool pads_ = false;
  std::size_t keys_ = 1;
  microseconds run_max_{};
  microseconds gap_max_{};
  LaneCoreOptions options_;
  LaneProbe probe_;
  LaneCore core_;
  std::vector<Instance> instances_;
  std::vector<std::shared_ptr<ResponseStream>> streams_;
  std::unordered_map<const ResponseStream*, Fate> fates_;
  std::unordered_map<std::size_t, std::size_t> led_;
  std::optional<std::uint64_t> last_number_;
  std::uint64_t submitted_ = 0;
  std::size_t known_waiting_ = 0;
  std::string_view fault_;
};

}  // namespace
}  // namespace cortex::scheduler

int main(int argc, char** argv) {
  const std::uint64_t seeds = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 100;
  const std::uint64_t first = argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 1;
  for (std::uint64_t seed = first; seed < first + seeds; ++seed) {
    const std::string_view fault = cortex::scheduler::World(seed).live();
    if (fault.empty()) continue;
    std::printf(
        "seed %llu: %s\n", static_cast<unsigned long long>(seed), std::string(fault).c_str()
    );
    return 1;
  }
  std::printf("%llu seeds held\n", static_cast<unsigned long long>(seeds));
  return 0;
}
