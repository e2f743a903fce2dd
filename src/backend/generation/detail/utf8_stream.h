// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

namespace cortex::backend {

// Bytes in any pieces to whole characters: what may still become one is kept, what can no longer
// become one is given as U+FFFD. Not thread-safe.
class Utf8Stream {
 public:
  [[nodiscard]] std::string feed(std::string_view bytes);
  // Nothing follows: a part of a character is none.
  [[nodiscard]] std::string finish();

 private:
  std::string kept_;  // less than a character
};

}  // namespace cortex::backend
