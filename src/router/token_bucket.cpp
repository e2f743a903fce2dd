// SPDX-License-Identifier: Apache-2.0
#include "router/token_bucket.h"

#include <algorithm>
#include <chrono>

#include "base/check.h"
#include "router/limiter.h"

namespace cortex::router {
namespace {

using std::chrono::microseconds;

constexpr std::int64_t kPartsOfOne = 60'000'000;
// A count beyond this is nobody's: its parts would not fit.
constexpr std::uint64_t kCountMax = 10 * kQuotaMax;

std::int64_t parts(std::uint64_t count) {
  return static_cast<std::int64_t>(std::min(count, kCountMax)) * kPartsOfOne;
}

}  // namespace

TokenBucket::TokenBucket(std::uint64_t per_minute, TimePoint now)
    : per_minute_(static_cast<std::int64_t>(per_minute)), level_(parts(per_minute)), filled_(now) {
  CHECK(per_minute <= kQuotaMax, "a quota is at most kQuotaMax");
}

std::int64_t TokenBucket::full_level() const { return per_minute_ * kPartsOfOne; }

void TokenBucket::refill(TimePoint now) {
  if (per_minute_ == 0 || now <= filled_) return;
  const auto passed = std::chrono::duration_cast<microseconds>(now - filled_).count();
  const std::int64_t missing = (full_level() - level_ + per_minute_ - 1) / per_minute_;
  level_ = passed >= missing ? full_level() : level_ + passed * per_minute_;
  filled_ += microseconds(passed);
}

bool TokenBucket::has(std::uint64_t count) const {
  return per_minute_ == 0 || level_ >= parts(count);
}

void TokenBucket::take(std::uint64_t count) {
  if (per_minute_ == 0) return;
  // A debt that no refill would pay within years is one that 64 bits cannot hold.
  level_ = std::max(level_ - parts(count), -parts(kCountMax));
}

void TokenBucket::give_back(std::uint64_t count) {
  if (per_minute_ == 0) return;
  level_ = std::min(level_ + parts(count), full_level());
}

std::uint64_t TokenBucket::remaining() const {
  return level_ <= 0 ? 0 : static_cast<std::uint64_t>(level_ / kPartsOfOne);
}

bool TokenBucket::full() const { return per_minute_ == 0 || level_ >= full_level(); }

Duration TokenBucket::wait_for(std::uint64_t count) const {
  CHECK(per_minute_ > 0, "nobody waits for what has no limit");
  const std::int64_t missing = std::max<std::int64_t>(0, parts(count) - level_);
  return microseconds((missing + per_minute_ - 1) / per_minute_);
}

}  // namespace cortex::router
