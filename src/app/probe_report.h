// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/status.h"

namespace cortex::app {

// What the process of a probation says of the version that it tried.
struct ProbeReport {
  Status status;                     // of the load
  std::uint64_t resident_bytes = 0;  // that the version added, after the warm-up
  std::uint64_t peak_bytes = 0;      // the most that it added meanwhile
  double seconds = 0;                // to load and warm up
};

// One line of JSON.
[[nodiscard]] std::string report_text(const ProbeReport& report);
// Nothing when `text` is no report: the process did not come to its end.
[[nodiscard]] std::optional<ProbeReport> parse_report(std::string_view text);

}  // namespace cortex::app
