// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <utility>

#include "base/status.h"

namespace cortex::frontend {

// Why the server itself refuses a request. HTTP has finer numbers than our codes, so both are kept.
struct HttpFault {
  int http_status = 400;
  Status status;
};

[[nodiscard]] inline HttpFault bad_request(std::string text) {
  return {400, invalid_argument(std::move(text))};
}

[[nodiscard]] inline HttpFault body_too_large(std::size_t limit) {
  return {
      413,
      invalid_argument(
          "the body is larger than " + std::to_string(limit) + " bytes (limits.body_bytes)"
      )
  };
}

[[nodiscard]] inline HttpFault over_budget() {
  return {
      503,
      unavailable("the server holds as many request bodies as it may (limits.body_bytes_total)")
          .with_retry_after(std::chrono::seconds(1))
  };
}

}  // namespace cortex::frontend
