// SPDX-License-Identifier: Apache-2.0
#pragma once

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

}  // namespace cortex::frontend
