// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <utility>

#include "cache/detail/prefix_node.h"

namespace cortex::cache {

// The leaves that could be evicted, by value: what a cell costs to compute again, divided by the
// time since it was used. Values of two leaves change places as time goes by; those of leaves that
// cost about the same do not. So leaves stand in classes of cost (a step of a fifth), each in the
// order of use, and the first ones of all classes are compared.
class EvictionOrder {
 public:
  explicit EvictionOrder(double attend_cost) : attend_cost_(attend_cost) {}

  // Puts `node` where it belongs now, or nowhere.
  void place(PrefixNode& node, bool evictable);
  // The least valuable one; null when there is none. `whole`: of those that no pin reaches into.
  [[nodiscard]] PrefixNode* least(TimePoint now, bool whole) const;

  [[nodiscard]] double value(const PrefixNode& node, TimePoint now) const;

 private:
  // A token's cost doubles at most so often, in four steps each.
  static constexpr std::size_t kClasses = 64;

  [[nodiscard]] double cost(const PrefixNode& node) const;

  const double attend_cost_;
  std::array<std::map<std::pair<TimePoint, std::uint64_t>, PrefixNode*>, kClasses> classes_;
};

}  // namespace cortex::cache
