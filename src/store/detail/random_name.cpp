// SPDX-License-Identifier: Apache-2.0
#include "store/detail/random_name.h"

#include <sys/random.h>

#include <array>

#include "base/check.h"

namespace cortex::store {

std::string random_name() {
  std::array<unsigned char, 16> raw{};
  CHECK(
      ::getrandom(raw.data(), raw.size(), 0) == static_cast<ssize_t>(raw.size()),
      "the kernel gives random bytes"
  );
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string name;
  for (const unsigned char byte : raw) {
    name.push_back(kDigits[byte >> 4]);
    name.push_back(kDigits[byte & 15]);
  }
  return name;
}

}  // namespace cortex::store
