// SPDX-License-Identifier: Apache-2.0
#include "request/response_stream.h"

#include <utility>

namespace cortex {

bool ResponseStream::write(ResponsePart&& part) {
  if (cancelled()) return false;
  std::function<void()> wake;
  {
    MutexLock lock(mutex_);
    CHECK(!ended_, "a part behind the end of its stream");
    if (parts_.size() >= capacity_) {
      refused_ = true;
      return false;
    }
    begun_ = true;
    parts_.push_back(std::move(part));
    wake = wake_;
  }
  if (wake) wake();
  return true;
}

void ResponseStream::on_room(std::function<void()> wake) {
  MutexLock lock(mutex_);
  CHECK(!room_, "a stream has one producer");
  room_ = std::make_shared<const std::function<void()>>(std::move(wake));
}

void ResponseStream::finish(Status status, const Timings& timings) {
  end(std::nullopt, std::move(status), timings);
}

void ResponseStream::finish(ResponsePart&& last, const Timings& timings) {
  end(std::move(last), {}, timings);
}

void ResponseStream::end(std::optional<ResponsePart> last, Status status, const Timings& timings) {
  // Held until the end: it may hold what keeps this stream alive.
  const auto try_again = std::exchange(try_again_, nullptr);
  if (try_again && !status.ok() && !begun_ && try_again(status)) return;
  std::function<void()> wake;
  std::shared_ptr<const std::function<void()>> room;  // let go of behind the lock, as `wake`
  {
    MutexLock lock(mutex_);
    CHECK(!ended_, "a stream ends once");
    room = std::move(room_);
    status_ = std::move(status);
    timings_ = timings;
    if (last) parts_.push_back(std::move(*last));
    ended_ = true;
    wake = std::move(wake_);
    wake_ = nullptr;
  }
  if (wake) wake();
}

void ResponseStream::on_ready(std::function<void()> wake) {
  {
    MutexLock lock(mutex_);
    CHECK(!wake_, "a stream has one consumer");
    if (!ended_ && parts_.empty()) {
      wake_ = std::move(wake);
      return;
    }
    if (!ended_) wake_ = wake;
  }
  wake();
}

std::optional<ResponsePart> ResponseStream::read() {
  std::shared_ptr<const std::function<void()>> room;
  std::optional<ResponsePart> part;
  {
    MutexLock lock(mutex_);
    if (parts_.empty()) return std::nullopt;
    part = std::move(parts_.front());
    parts_.pop_front();
    if (std::exchange(refused_, false)) room = room_;
  }
  if (room) (*room)();
  return part;
}

bool ResponseStream::finished() const {
  MutexLock lock(mutex_);
  return ended_ && parts_.empty();
}

}  // namespace cortex
