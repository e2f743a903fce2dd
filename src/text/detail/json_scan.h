// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

namespace cortex::text {

// Follows one JSON value, character by character, to where it ends. It looks at brackets and
// quotation marks alone: what lies between them is the reader's business.
class JsonScan {
 public:
  enum class Step : std::uint8_t {
    kInside,  // the character belongs to the value
    kLast,    // so it does, and the value ends with it
    kBehind,  // the value ended before it (numbers and words)
    kBroken,  // a bracket that closes what is not open
  };

  Step feed(char c);

 private:
  Step feed_in_string(char c);
  Step close(char bracket);

  std::string open_;  // brackets
  bool started_ = false;
  bool in_string_ = false;
  bool escaped_ = false;
};

}  // namespace cortex::text
