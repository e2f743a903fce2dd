// SPDX-License-Identifier: Apache-2.0
#include "frontend/random_stem.h"

#include <sys/random.h>

#include <array>
#include <string_view>

#include "base/check.h"

namespace cortex::frontend {

std::string random_stem() {
  std::array<unsigned char, 16> raw{};
  CHECK(
      ::getrandom(raw.data(), raw.size(), 0) == static_cast<ssize_t>(raw.size()),
      "the system gives random bytes"
  );
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string out;
  for (const unsigned char byte : raw) {
    out.push_back(kDigits[byte >> 4]);
    out.push_back(kDigits[byte & 15]);
  }
  return out;
}

}  // namespace cortex::frontend
