// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <memory>

#include "base/mutex.h"
#include "request/servable.h"

namespace cortex::backend {

// The way to a lane that may end while threads are on their way to it. Thread-safe.
class LaneGate {
 public:
  explicit LaneGate(std::unique_ptr<Servable> lane) : lane_(std::move(lane)) {}
  LaneGate(const LaneGate&) = delete;
  LaneGate& operator=(const LaneGate&) = delete;
  // Lets nobody in any more, ends the lane, and returns when all who entered have left.
  ~LaneGate();

  // False once the gate closes. Who entered leaves when nothing of his touches the gate any more.
  [[nodiscard]] bool enter();
  void leave();

  // Hands over to the lane; false, and nothing taken, once the gate closes. REQUIRES: entered.
  [[nodiscard]] bool submit(
      const std::shared_ptr<const Request>& request, const std::shared_ptr<ResponseStream>& stream
  );

 private:
  std::unique_ptr<Servable> lane_;
  Mutex mutex_;
  Condition condition_;
  bool closed_ GUARDED_BY(mutex_) = false;
  std::size_t inside_ GUARDED_BY(mutex_) = 0;      // entered, not left
  std::size_t submitting_ GUARDED_BY(mutex_) = 0;  // in the middle of the lane's submit
};

}  // namespace cortex::backend
