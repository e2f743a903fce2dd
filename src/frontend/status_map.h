// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/status.h"

namespace cortex::frontend {

// How one code looks on every wire we speak. All text is static.
struct StatusRow {
  int http;
  int grpc;
  std::string_view openai_type;
  std::string_view openai_code;
};

// The row of a code: the one table that turns our errors into those of the APIs.
[[nodiscard]] const StatusRow& status_row(Code code);

// Seconds for a Retry-After header, rounded up and at least 1; empty when the status names no time.
[[nodiscard]] std::optional<std::int64_t> retry_after_seconds(const Status& status);

// True for errors whose cause is ours: they are logged with their detail.
[[nodiscard]] bool is_server_fault(Code code);

}  // namespace cortex::frontend
