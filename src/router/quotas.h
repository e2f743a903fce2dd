// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "base/status.h"
#include "config/keys.h"
#include "request/principal.h"
#include "request/request.h"
#include "router/limiter.h"

namespace cortex::router {

// Who has which limits: those of his key, and the defaults where it says nothing. Immutable,
// thread-safe.
class Quotas {
 public:
  Quotas() = default;
  // `open`: there are no keys, and everybody together is one principal with the defaults.
  Quotas(const QuotaLimits& defaults, const std::vector<config::KeyEntry>& keys, bool open);

  // True where nobody has a limit.
  [[nodiscard]] bool none() const;
  [[nodiscard]] const QuotaLimits& of(const Principal& principal) const;

 private:
  QuotaLimits defaults_;
  QuotaLimits nobody_;  // no limits
  bool open_ = false;
  std::map<std::string, QuotaLimits, std::less<>> by_key_;
};

// What a request will use, as far as that can be said before tokens are made of it. Prompts count a
// token for every four bytes, answers their `tokens_max`. Pure.
[[nodiscard]] QuotaAsk estimate(const Request& request, const QuotaLimits& limits);

// The refusal as its client sees it: kResourceExhausted, with the limit's name, a reason and
// retry_after where waiting helps. `principal` is a key's name; may be empty.
[[nodiscard]] Status refusal_status(const QuotaRefusal& refusal, std::string_view principal);

// The limit's name: "requests_per_minute", …
[[nodiscard]] std::string_view kind_name(QuotaKind kind);

}  // namespace cortex::router
