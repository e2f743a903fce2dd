// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "base/mutex.h"
#include "registry/registry.h"

namespace cortex::registry {

// What tests of this room load instead of engines; see registry_test.cpp. For tests alone.

// Waits for a condition that others make true: no test sleeps. Thread-safe.
class StateWatch {
 public:
  // Call after anything changed.
  void notify() {
    {
      MutexLock lock(mutex_);
      ++changes_;
    }
    condition_.notify_all();
  }

  // Looks after every change; false when it is still not true after 20 seconds.
  [[nodiscard]] bool wait(const std::function<bool()>& condition) {
    const TimePoint deadline = TimePoint::clock::now() + std::chrono::seconds(20);
    while (true) {
      std::uint64_t seen = 0;
      {
        MutexLock lock(mutex_);
        seen = changes_;
      }
      if (condition()) return true;
      MutexLock lock(mutex_);
      while (changes_ == seen) {
        if (!condition_.wait_until(mutex_, deadline)) return false;
      }
    }
  }

 private:
  Mutex mutex_;
  Condition condition_;
  std::uint64_t changes_ GUARDED_BY(mutex_) = 0;
};

// Loads servables that answer nothing, and counts those that are alive. Thread-safe.
class FakeLoader {
 public:
  // Called for every load on the loader's thread; it may wait, fail or throw.
  using Behaviour = std::function<Status(const ModelConfig& config, std::int64_t version)>;

  explicit FakeLoader(Behaviour behaviour = {}) : behaviour_(std::move(behaviour)) {}

  [[nodiscard]] Loader loader() {
    return [this](const ModelConfig& config, const std::filesystem::path&, std::int64_t version) {
      return load(config, version);
    };
  }

  [[nodiscard]] int alive() const { return alive_->load(); }
  [[nodiscard]] int calls() const { return calls_.load(); }

 private:
  class FakeServable final : public Servable {
   public:
    explicit FakeServable(std::shared_ptr<std::atomic<int>> alive) : alive_(std::move(alive)) {
      ++*alive_;
    }
    ~FakeServable() override { --*alive_; }
    void submit(std::shared_ptr<const Request>, std::shared_ptr<ResponseStream> stream) override {
      stream->finish(unavailable("a fake answers nothing"));
    }

   private:
    std::shared_ptr<std::atomic<int>> alive_;
  };

  Result<LoadedModel> load(const ModelConfig& config, std::int64_t version) {
    ++calls_;
    if (behaviour_) CORTEX_RETURN_IF_ERROR(behaviour_(config, version));
    LoadedModel out;
    out.config = config;
    out.platform = "fake";
    out.servable = std::make_unique<FakeServable>(alive_);
    return out;
  }

  Behaviour behaviour_;
  std::shared_ptr<std::atomic<int>> alive_ = std::make_shared<std::atomic<int>>(0);
  std::atomic<int> calls_{0};
};

}  // namespace cortex::registry
