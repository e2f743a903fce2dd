// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <memory>

#include "base/clock.h"
#include "router/limiter.h"

namespace cortex::router {

// Counts in this process alone: a token bucket of a minute for requests and one for tokens, and the
// number of requests that run, for each principal. Answers at once. Remembers at most
// `principals_max`: who has used nothing for a minute is forgotten first, and where there is none
// such, another principal is refused. Thread-safe; a call takes the lock of one of sixteen shards
// for well under a microsecond.
class LocalLimiter final : public Limiter {
 public:
  // The clock outlives the limiter.
  LocalLimiter(const Clock& clock, std::size_t principals_max);
  ~LocalLimiter() override;

  [[nodiscard]] std::optional<QuotaAnswer> take(
      const QuotaAsk& ask, std::function<void(const QuotaAnswer&)> later
  ) override;
  void settle(const QuotaAsk& granted, std::uint64_t reserved, std::uint64_t used) override;
  [[nodiscard]] QuotaState state(std::string_view principal, const QuotaLimits& limits)
      const override;

  // Those remembered now.
  [[nodiscard]] std::size_t principals() const;
  // Requests of one that are granted and not settled.
  [[nodiscard]] std::uint64_t running(std::string_view principal) const;

 private:
  class Shard;
  [[nodiscard]] Shard& shard_of(std::string_view principal) const;

  const Clock& clock_;
  const std::unique_ptr<Shard[]> shards_;
};

}  // namespace cortex::router
