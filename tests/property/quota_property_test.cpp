// SPDX-License-Identifier: Apache-2.0
// What the limiter promises, against a naive account of everything that was granted.
#include <algorithm>
#include <cstdint>
#include <deque>
#include <vector>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "router/local_limiter.h"

namespace cortex::router {
namespace {

using std::chrono::microseconds;

// Every change of what is used, in order.
struct Change {
  TimePoint at;
  std::int64_t tokens;
  std::int64_t requests;
};

struct Running {
  std::uint64_t reserved;
};

// Whatever window ends with a grant: no more than one minute's share and what the window refills.
void check_windows(const std::vector<Change>& changes, const QuotaLimits& limits) {
  std::int64_t tokens = 0;
  std::int64_t requests = 0;
  const TimePoint end = changes.back().at;
  for (auto at = changes.rbegin(); at != changes.rend(); ++at) {
    tokens += at->tokens;
    requests += at->requests;
    const auto passed = std::chrono::duration_cast<microseconds>(end - at->at).count();
    const auto refilled = [passed](std::uint64_t per_minute) {
      return static_cast<std::int64_t>(per_minute) * (60'000'000 + passed) / 60'000'000;
    };
    RC_ASSERT(tokens <= refilled(limits.tokens_per_minute));
    RC_ASSERT(requests <= refilled(limits.requests_per_minute));
  }
}

RC_GTEST_PROP(Limiter, never_grants_more_than_the_quota_in_any_window, ()) {
  const QuotaLimits limits{
      *rc::gen::inRange<std::uint64_t>(1, 40),
      *rc::gen::inRange<std::uint64_t>(1, 2'000),
      *rc::gen::inRange<std::uint64_t>(1, 6)
  };
  VirtualClock clock;
  LocalLimiter limiter(clock, 16);
  std::vector<Change> changes;
  std::deque<Running> running;
  const int steps = *rc::gen::inRange(1, 120);
  for (int i = 0; i < steps; ++i) {
    clock.advance(microseconds(*rc::gen::inRange(0, 20'000'000)));
    if (!running.empty() && *rc::gen::inRange(0, 2) == 0) {
      const Running done = running.front();
      running.pop_front();
      // Less than was reserved, or more: that is a debt.
      const auto used = *rc::gen::inRange<std::uint64_t>(0, done.reserved + done.reserved / 4 + 1);
      limiter.settle({"p", limits, 0, 0, true}, done.reserved, used);
      changes.push_back(
          {clock.now(),
           static_cast<std::int64_t>(used) - static_cast<std::int64_t>(done.reserved),
           0}
      );
      continue;
    }
    const QuotaAsk ask{
        "p",
        limits,
        *rc::gen::inRange<std::uint64_t>(0, 400),
        *rc::gen::inRange<std::uint64_t>(0, 400),
        true
    };
    const QuotaAnswer answer = *limiter.take(ask, nullptr);
    RC_ASSERT(limiter.running("p") <= limits.concurrent_requests);
    if (answer.refusal) {
      RC_ASSERT(answer.reserved == 0u);
      continue;
    }
    running.push_back({answer.reserved});
    changes.push_back({clock.now(), static_cast<std::int64_t>(answer.reserved), 1});
    check_windows(changes, limits);
  }
}

RC_GTEST_PROP(Limiter, a_settled_request_leaves_what_its_real_use_would_have_left, ()) {
  const QuotaLimits limits{0, *rc::gen::inRange<std::uint64_t>(10, 5'000), 0};
  VirtualClock clock;
  LocalLimiter reserving(clock, 16);
  LocalLimiter knowing(clock, 16);  // is told the real use at the door
  const int steps = *rc::gen::inRange(1, 60);
  for (int i = 0; i < steps; ++i) {
    const auto wanted = *rc::gen::inRange<std::uint64_t>(0, limits.tokens_per_minute);
    const QuotaAnswer answer = *reserving.take({"p", limits, wanted, 0, true}, nullptr);
    if (!answer.refusal) {
      const auto used = *rc::gen::inRange<std::uint64_t>(0, answer.reserved + 1);
      const QuotaAnswer known = *knowing.take({"p", limits, used, 0, true}, nullptr);
      RC_ASSERT(!known.refusal);
      clock.advance(microseconds(*rc::gen::inRange(0, 9'000'000)));
      reserving.settle({"p", limits, 0, 0, true}, answer.reserved, used);
      knowing.settle({"p", limits, 0, 0, true}, known.reserved, used);
    }
    clock.advance(microseconds(*rc::gen::inRange(0, 9'000'000)));
    const QuotaLevel left = *reserving.state("p", limits).tokens;
    const QuotaLevel right = *knowing.state("p", limits).tokens;
    RC_ASSERT(left.remaining == right.remaining);
    RC_ASSERT(left.reset == right.reset);
  }
  RC_ASSERT(reserving.running("p") == 0u);
}

}  // namespace
}  // namespace cortex::router
