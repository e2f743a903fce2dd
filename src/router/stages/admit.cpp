// SPDX-License-Identifier: Apache-2.0
#include "router/stages/admit.h"

namespace cortex::router {
namespace {

// Long enough for a load balancer to see that this server is not ready.
constexpr std::chrono::milliseconds kDrainRetry{1000};

}  // namespace

Verdict Admit::enter(const std::shared_ptr<Passage>& passage) const {
  if (draining_.load(std::memory_order_relaxed)) {
    passage->stream()->finish(unavailable("The server is draining.").with_retry_after(kDrainRetry));
    return Verdict::kFinished;
  }
  const TimePoint deadline = passage->request()->deadline;
  if (deadline != kNoDeadline && clock_.now() >= deadline) {
    passage->stream()->finish(deadline_exceeded("Request timeout expired"));
    return Verdict::kFinished;
  }
  return Verdict::kContinue;
}

}  // namespace cortex::router
