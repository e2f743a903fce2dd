// SPDX-License-Identifier: Apache-2.0
#include "frontend/quota_headers.h"

#include <array>
#include <chrono>
#include <cstdio>
#include <ctime>

namespace cortex::frontend {
namespace {

struct LevelNames {
  std::string_view limit;
  std::string_view remaining;
  std::string_view reset;
};

constexpr LevelNames kRequests{
    "x-ratelimit-limit-requests", "x-ratelimit-remaining-requests", "x-ratelimit-reset-requests"
};
constexpr LevelNames kTokens{
    "x-ratelimit-limit-tokens", "x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens"
};
constexpr LevelNames kAnthropicRequests{
    "anthropic-ratelimit-requests-limit",
    "anthropic-ratelimit-requests-remaining",
    "anthropic-ratelimit-requests-reset"
};
constexpr LevelNames kAnthropicTokens{
    "anthropic-ratelimit-tokens-limit",
    "anthropic-ratelimit-tokens-remaining",
    "anthropic-ratelimit-tokens-reset"
};

void append_level(
    const LevelNames& names, const router::QuotaLevel& level, std::string reset, Headers& out
) {
  out.emplace_back(names.limit, std::to_string(level.limit));
  out.emplace_back(names.remaining, std::to_string(level.remaining));
  out.emplace_back(names.reset, std::move(reset));
}

std::int64_t millis_of(Duration duration) {
  return std::chrono::ceil<std::chrono::milliseconds>(duration).count();
}

// "1.5", "2", "0.25".
std::string seconds_text(std::int64_t millis) {
  std::string out = std::to_string(millis / 1000);
  if (millis % 1000 == 0) return out;
  std::array<char, 8> fraction;
  std::snprintf(fraction.data(), fraction.size(), ".%03d", static_cast<int>(millis % 1000));
  out.append(fraction.data());
  while (out.back() == '0') out.pop_back();
  return out;
}

}  // namespace

std::string duration_text(Duration duration) {
  const std::int64_t millis = millis_of(duration);
  if (millis <= 0) return "0s";
  if (millis < 1000) return std::to_string(millis) + "ms";
  const std::int64_t minutes = millis / 60'000;
  std::string out;
  if (minutes >= 60) out.append(std::to_string(minutes / 60)).append("h");
  if (minutes > 0) out.append(std::to_string(minutes % 60)).append("m");
  return out.append(seconds_text(millis % 60'000)).append("s");
}

std::string rfc3339(std::int64_t unix_ms) {
  const std::time_t seconds = (unix_ms + 999) / 1000;
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  std::array<char, 32> text;
  const std::size_t size = std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &parts);
  return {text.data(), size};
}

void append_ratelimit_headers(const router::QuotaState& state, Headers& out) {
  if (const auto& level = state.requests) {
    append_level(kRequests, *level, duration_text(level->reset), out);
  }
  if (const auto& level = state.tokens) {
    append_level(kTokens, *level, duration_text(level->reset), out);
  }
}

void append_anthropic_headers(const router::QuotaState& state, std::int64_t now_ms, Headers& out) {
  if (const auto& level = state.requests) {
    append_level(kAnthropicRequests, *level, rfc3339(now_ms + millis_of(level->reset)), out);
  }
  if (const auto& level = state.tokens) {
    append_level(kAnthropicTokens, *level, rfc3339(now_ms + millis_of(level->reset)), out);
  }
}

}  // namespace cortex::frontend
