// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <utility>

#include "base/mutex.h"
#include "request/response_stream.h"
#include "request/servable.h"

namespace cortex::scheduler::testing {

// Submits one request and waits for its end.
class Waiter {
 public:
  Waiter() : state_(std::make_shared<State>()) {}

  // Called on the producer's thread at the end.
  void on_end(std::function<void()> call) { state_->on_end = std::move(call); }

  void submit(Servable& servable, std::shared_ptr<const Request> request) {
    state_->stream->on_ready([state = std::weak_ptr<State>(state_)] {
      if (const auto alive = state.lock()) alive->end();
    });
    servable.submit(std::move(request), state_->stream);
  }
  const Status& wait() {
    MutexLock lock(state_->mutex);
    while (!state_->ended) state_->condition.wait_until(state_->mutex, kNoDeadline);
    if (!state_->part) state_->part = state_->stream->read();
    return state_->stream->status();
  }
  // REQUIRES: wait() answered OK.
  InferOutput& output() { return std::get<InferOutput>(*state_->part); }
  ResponseStream& stream() { return *state_->stream; }

 private:
  struct State {
    std::shared_ptr<ResponseStream> stream = std::make_shared<ResponseStream>();
    std::function<void()> on_end;
    Mutex mutex;
    Condition condition;
    bool ended = false;
    std::optional<ResponsePart> part;

    void end() {
      if (on_end) on_end();
      {
        MutexLock lock(mutex);
        ended = true;
      }
      condition.notify_all();
    }
  };
  std::shared_ptr<State> state_;
};

// Holds threads until it is opened.
class Gate {
 public:
  // Again, for other threads.
  void close() {
    MutexLock lock(mutex_);
    open_ = false;
    arrivals_ = 0;
  }
  void pass() {
    MutexLock lock(mutex_);
    ++arrivals_;
    condition_.notify_all();
    while (!open_) condition_.wait_until(mutex_, kNoDeadline);
  }
  void wait_for_arrivals(int count) {
    MutexLock lock(mutex_);
    while (arrivals_ < count) condition_.wait_until(mutex_, kNoDeadline);
  }
  void open() {
    {
      MutexLock lock(mutex_);
      open_ = true;
    }
    condition_.notify_all();
  }

 private:
  Mutex mutex_;
  Condition condition_;
  int arrivals_ GUARDED_BY(mutex_) = 0;
  bool open_ GUARDED_BY(mutex_) = false;
};

}  // namespace cortex::scheduler::testing
