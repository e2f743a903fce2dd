// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "router/limiter.h"

namespace cortex::frontend {

using Headers = std::vector<std::pair<std::string_view, std::string>>;

// x-ratelimit-{limit,remaining,reset}-{requests,tokens}, as OpenAI has them.
void append_ratelimit_headers(const router::QuotaState& state, Headers& out);
// anthropic-ratelimit-{requests,tokens}-{limit,remaining,reset}; `now_ms` since the Unix epoch.
void append_anthropic_headers(const router::QuotaState& state, std::int64_t now_ms, Headers& out);

// "6m0s", "1.5s", "20ms", "1h0m0s": rounded up to milliseconds.
[[nodiscard]] std::string duration_text(Duration duration);
// "2026-01-31T23:59:59Z", rounded up to seconds.
[[nodiscard]] std::string rfc3339(std::int64_t unix_ms);

}  // namespace cortex::frontend
