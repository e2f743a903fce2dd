// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace cortex::backend {

// Finds the first of some stop strings in a text that comes in pieces. What may be the start of one
// is held back. Not thread-safe. Time: the text's length times the number of stops.
class StopScanner {
 public:
  // Empty stops are left out.
  explicit StopScanner(std::vector<std::string> stops);

  // The text that may go on; empty behind a stop.
  [[nodiscard]] std::string feed(std::string_view text);
  // Nothing follows: what was held back.
  [[nodiscard]] std::string finish();
  // The stop that was met; the text before it was given.
  [[nodiscard]] const std::optional<std::string>& stop() const { return met_; }

 private:
  [[nodiscard]] std::size_t held() const;

  std::vector<std::string> stops_;
  std::string buffer_;
  std::optional<std::string> met_;
};

}  // namespace cortex::backend
