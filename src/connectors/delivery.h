// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/status.h"

namespace cortex::connectors {

// One event of the log, as receivers get it.
struct WebhookEvent {
  std::int64_t seq = 0;
  std::string name;  // "model_version.created"
  std::string body;  // JSON; the same for every attempt
};

// What became of one attempt.
struct AttemptResult {
  int response_status = 0;    // 0: there was no answer
  std::string response_head;  // at most kResponseHeadBytes, UTF-8
  std::string error;          // why there was none; safe to show
  std::int64_t duration_ms = 0;
  std::chrono::milliseconds retry_after{0};  // what the receiver asked for
  bool final_fault = false;                  // trying again cannot help: the hook itself is wrong
};

inline constexpr std::size_t kResponseHeadBytes = 1024;

enum class DeliveryStatus : std::uint8_t { kPending, kDelivered, kFailed };
// "pending", "delivered", "failed".
[[nodiscard]] std::string_view delivery_status_name(DeliveryStatus status);

struct RetryOptions {
  int attempts_max = 5;
  std::chrono::milliseconds first_wait{1'000};
  std::chrono::milliseconds wait_max{60'000};
};

struct AfterAttempt {
  DeliveryStatus status = DeliveryStatus::kPending;
  std::chrono::milliseconds wait{0};  // before the next attempt
};

// 2xx is delivered. No answer, 429 and 5xx are tried again: after twice the wait of the time before
// and up to half of it more (`chance`, between 0 and 1), or what the receiver asked for, never more
// than wait_max; everything else (redirects too, which are not followed) and the last attempt fail.
// `attempts` counts this one. Pure.
[[nodiscard]] AfterAttempt after_attempt(
    const RetryOptions& options, const AttemptResult& result, int attempts, double chance
);

// The id of a delivery: the same for every attempt, also after a restart, and different for every
// event and hook, so that receivers can tell a repetition.
[[nodiscard]] std::string delivery_id(std::string_view webhook_id, std::int64_t seq);

// X-MLflow-Delivery-Id, X-MLflow-Timestamp (seconds since the epoch) and, with a secret,
// X-MLflow-Signature: "v1," and the base64 of HMAC-SHA256(secret, id "." timestamp "." body).
[[nodiscard]] std::vector<std::pair<std::string, std::string>> delivery_headers(
    std::string_view id, std::int64_t timestamp, std::string_view secret, std::string_view body
);

// The beginning of an answer as text that a database keeps.
[[nodiscard]] std::string response_head(std::string_view body);

}  // namespace cortex::connectors
