// SPDX-License-Identifier: Apache-2.0
#include "frontend/http/exchange.h"

namespace cortex::frontend {

std::string_view HttpRequest::header(std::string_view lower_case_name) const {
  for (const auto& [name, value] : headers) {
    if (name == lower_case_name) return value;
  }
  return {};
}

}  // namespace cortex::frontend
