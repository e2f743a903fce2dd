// SPDX-License-Identifier: Apache-2.0
#include "backend/detail/lane_gate.h"

#include "base/clock.h"

namespace cortex::backend {
namespace {

// Only how often a wait looks again; the lane's contract is that it ends its requests.
constexpr std::chrono::seconds kLookAgain{1};

}  // namespace

LaneGate::~LaneGate() {
  {
    MutexLock lock(mutex_);
    closed_ = true;
    while (submitting_ > 0) {
      static_cast<void>(condition_.wait_until(mutex_, steady_clock().now() + kLookAgain));
    }
  }
  lane_.reset();
  MutexLock lock(mutex_);
  while (inside_ > 0) {
    static_cast<void>(condition_.wait_until(mutex_, steady_clock().now() + kLookAgain));
  }
}

bool LaneGate::enter() {
  MutexLock lock(mutex_);
  if (closed_) return false;
  ++inside_;
  return true;
}

// Notifies under the lock: the gate may be gone right behind it.
void LaneGate::leave() {
  MutexLock lock(mutex_);
  --inside_;
  if (closed_) condition_.notify_all();
}

bool LaneGate::submit(
    const std::shared_ptr<const Request>& request, const std::shared_ptr<ResponseStream>& stream
) {
  {
    MutexLock lock(mutex_);
    if (closed_) return false;
    ++submitting_;
  }
  lane_->submit(request, stream);
  MutexLock lock(mutex_);
  --submitting_;
  if (closed_) condition_.notify_all();
  return true;
}

}  // namespace cortex::backend
