// SPDX-License-Identifier: Apache-2.0
// For ThreadSanitizer: many threads submit to lanes of several instances and cancel at random,
// while the lanes are drained and destroyed under them. Every stream must end exactly once.
#include <atomic>
#include <cstdio>
#include <memory>
#include <vector>

#include "base/thread.h"
#include "scheduler/tensor_lane.h"
#include "scheduler/testing/row_backend.h"

namespace cortex::scheduler {
namespace {

using testing::row_config;
using testing::row_request;
using testing::RowBackend;

constexpr std::size_t kThreads = 4;
constexpr std::size_t kRequestsPerThread = 150;
constexpr std::size_t kLives = 12;

class Life {
 public:
  explicit Life(std::size_t number) {
    TensorLaneOptions options;
    options.identity = {"rows", "1"};
    options.config = row_config(8);
    options.config.batching.queue_delay_max = std::chrono::microseconds(number % 3 == 0 ? 200 : 0);
    options.config.batching.preserve_ordering = number % 4 == 1;
    options.instances = 1 + number % 3;
    options.queue_size_max = 32;
    lane_ = std::make_unique<TensorLane>(options, std::make_shared<RowBackend>(), steady_clock());
  }

  // True when every stream ended once.
  bool live() {
    {
      std::vector<Thread> threads;
      for (std::size_t i = 0; i < kThreads; ++i) {
        threads.emplace_back("submit", [this, i] { submit_all(i); });
      }
      // Reads what the others write.
      while (submitted_ < kThreads * kRequestsPerThread / 2) (void)lane_->probe().read();
      lane_->drain();
    }
    lane_.reset();
    return ended_ == kThreads * kRequestsPerThread;
  }

 private:
  void submit_all(std::size_t thread) {
    for (std::size_t i = 0; i < kRequestsPerThread; ++i) {
      auto stream = std::make_shared<ResponseStream>();
      stream->on_ready([this] { ++ended_; });
      lane_->submit(
          row_request(1 + i % 2, 1 + (i * 7 + thread) % 40, static_cast<std::int64_t>(i)), stream
      );
      if (i % 5 == thread) stream->cancel();
      ++submitted_;
    }
  }

  std::atomic<std::size_t> ended_{0};
  std::atomic<std::size_t> submitted_{0};
  std::unique_ptr<TensorLane> lane_;
};

}  // namespace
}  // namespace cortex::scheduler

int main() {
  for (std::size_t i = 0; i < cortex::scheduler::kLives; ++i) {
    cortex::scheduler::Life life(i);
    if (!life.live()) {
      std::printf("lane %zu lost or doubled an answer\n", i);
      return 1;
    }
  }
  std::printf("every stream ended once\n");
  return 0;
}
