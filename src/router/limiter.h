// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>

#include "base/clock.h"

namespace cortex::router {

// What one principal may do. 0: no limit of that kind.
struct QuotaLimits {
  std::uint64_t requests_per_minute = 0;
  std::uint64_t tokens_per_minute = 0;  // of inputs and answers together
  std::uint64_t concurrent_requests = 0;

  [[nodiscard]] bool none() const {
    return requests_per_minute == 0 && tokens_per_minute == 0 && concurrent_requests == 0;
  }
};

// No limit is above this: what buckets count stays within 64 bits.
inline constexpr std::uint64_t kQuotaMax = 1'000'000'000;

// What one request wants.
struct QuotaAsk {
  std::string_view principal;    // whose limits; valid during the call
  QuotaLimits limits;            // none is above kQuotaMax
  std::uint64_t tokens_in = 0;   // above the limit the request is refused for good
  std::uint64_t tokens_out = 0;  // at most; reserved as far as the limit allows
  bool holds_place = true;       // of concurrent_requests, until it is settled
};

// Which limit a request met.
enum class QuotaKind : std::uint8_t {
  kRequests,
  kTokens,
  kConcurrency,
  kTooLarge,    // it alone wants more tokens than a minute has: waiting does not make it fit
  kPrincipals,  // more principals ask than the limiter remembers
};

struct QuotaRefusal {
  QuotaKind kind = QuotaKind::kRequests;
  std::uint64_t limit = 0;
  std::uint64_t used = 0;
  std::uint64_t asked = 0;
  Duration wait{};  // until it would be granted if nobody else asked; 0: unknown, or never
};

struct QuotaAnswer {
  std::optional<QuotaRefusal> refusal;  // then nothing was taken
  std::uint64_t reserved = 0;           // tokens
};

struct QuotaLevel {
  std::uint64_t limit = 0;
  std::uint64_t remaining = 0;
  Duration reset{};  // until all of the limit is there again
};

// Of the limits that a principal has.
struct QuotaState {
  std::optional<QuotaLevel> requests;
  std::optional<QuotaLevel> tokens;
};

// Counts what principals use against their limits. A granted request is settled once. The seam at
// which several servers can share their counts: an implementation may answer later. Thread-safe;
// never blocks.
class Limiter {
 public:
  virtual ~Limiter() = default;

  // All or nothing: one request, its tokens, and a place among those that run. Empty: `later` is
  // called once, from any thread, perhaps before this returns; else it is never called.
  [[nodiscard]] virtual std::optional<QuotaAnswer> take(
      const QuotaAsk& ask, std::function<void(const QuotaAnswer&)> later
  ) = 0;
  // The end of a granted request: its place is free, and of its tokens counts what was used instead
  // of what was reserved. More than that is a debt, which later requests wait for.
  virtual void settle(const QuotaAsk& granted, std::uint64_t reserved, std::uint64_t used) = 0;
  // What is left, as far as it is known here.
  [[nodiscard]] virtual QuotaState state(std::string_view principal, const QuotaLimits& limits)
      const = 0;
};

// The words of Status::reason() for a refusal by the limits on requests (also those that run at the
// same time) and on tokens.
inline constexpr std::string_view kRequestsReason = "requests_per_minute";
inline constexpr std::string_view kTokensReason = "tokens_per_minute";
inline constexpr std::string_view kConcurrencyReason = "concurrent_requests";

}  // namespace cortex::router
