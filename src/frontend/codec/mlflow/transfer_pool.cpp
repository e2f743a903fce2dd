// SPDX-License-Identifier: Apache-2.0
#include "frontend/codec/mlflow/transfer_pool.h"

#include <string>
#include <utility>

#include "base/check.h"
#include "base/log.h"
#include "frontend/codec/mlflow/wire.h"

namespace cortex::frontend::mlflow {
namespace {

constexpr std::chrono::milliseconds kRetryAfter{1000};
// How often close() says that it waits.
constexpr std::chrono::seconds kPatience{10};

}  // namespace

TransferPool::TransferPool(const TransferOptions& options)
    : options_(options), threads_("artifact", options.threads, 2 * options.transfers_max) {}

TransferPool::~TransferPool() { close(); }

void TransferPool::close() {
  MutexLock lock(mutex_);
  closed_ = true;
  while (in_flight_ > 0) {
    if (none_.wait_until(mutex_, steady_clock().now() + kPatience)) continue;
    log::warning("artifact transfers are still under way", {{"transfers", in_flight_}});
  }
}

TransferPool::PlacePtr TransferPool::enter(Exchange& exchange) {
  if (take()) return std::make_shared<Place>(*this);
  const Status full = resource_exhausted(
      "too many artifact transfers at once (" + std::to_string(options_.transfers_max) + ")"
  );
  fail(exchange, full.with_retry_after(kRetryAfter));
  return nullptr;
}

void TransferPool::submit(std::function<void()> call) {
  CHECK(threads_.submit(std::move(call)), "every place has room in the queue");
}

std::size_t TransferPool::in_flight() const {
  MutexLock lock(mutex_);
  return in_flight_;
}

bool TransferPool::take() {
  MutexLock lock(mutex_);
  if (closed_ || in_flight_ >= options_.transfers_max) return false;
  ++in_flight_;
  return true;
}

void TransferPool::give_back() {
  MutexLock lock(mutex_);
  if (--in_flight_ == 0) none_.notify_all();
}

}  // namespace cortex::frontend::mlflow
