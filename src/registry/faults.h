// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace cortex::registry {

// Collects what is wrong with a model folder, so that its owner sees all of it at once.
// Thread: the one that made it.
class Faults {
 public:
  // "place: text". A file cannot make the list longer than a screen: later ones are only counted.
  void add(std::string_view place, std::string_view text);

  [[nodiscard]] bool empty() const { return lines_.empty(); }
  // OK, or kInvalidArgument with every fault, parted by "; ".
  [[nodiscard]] Status status() const;

 private:
  std::vector<std::string> lines_;
  std::size_t left_out_ = 0;
};

}  // namespace cortex::registry
