// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/status.h"
#include "request/principal.h"

namespace cortex::frontend {

// The quotas of principals, as the HTTP server asks and tells. Called on io threads: must not
// block. Thread-safe.
class QuotaGate {
 public:
  virtual ~QuotaGate() = default;

  // Counts a request of an API that runs no model; those that do are counted on their way to it.
  // kResourceExhausted for a principal who has used up his share.
  [[nodiscard]] virtual Status enter(const Principal& principal, std::string_view api) = 0;
  // Appends what an answer tells the principal of his limits; nothing where he has none. Names are
  // static text.
  virtual void describe(
      const Principal& principal,
      std::string_view api,
      std::vector<std::pair<std::string_view, std::string>>& headers
  ) const = 0;
};

}  // namespace cortex::frontend
