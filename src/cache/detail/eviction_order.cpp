// SPDX-License-Identifier: Apache-2.0
#include "cache/detail/eviction_order.h"

#include <algorithm>
#include <chrono>
#include <cmath>

namespace cortex::cache {

double EvictionOrder::cost(const PrefixNode& node) const {
  return 1 + attend_cost_ * (node.begin + node.end()) / 2;
}

void EvictionOrder::place(PrefixNode& node, bool evictable) {
  if (node.place) {
    classes_[node.place->cost_class].erase({node.place->used, node.place->number});
    node.place.reset();
  }
  if (!evictable) return;
  const auto steps = static_cast<std::size_t>(std::max(0.0, 4 * std::log2(cost(node))));
  const EvictionPlace place = {std::min(steps, kClasses - 1), node.used, node.number};
  classes_[place.cost_class].emplace(std::pair(place.used, place.number), &node);
  node.place = place;
}

double EvictionOrder::value(const PrefixNode& node, TimePoint now) const {
  const std::chrono::duration<double> idle = now - node.used;
  return cost(node) / std::max(idle.count(), 1e-9);
}

PrefixNode* EvictionOrder::least(TimePoint now, bool whole) const {
  PrefixNode* out = nullptr;
  double least = 0;
  for (const auto& order : classes_) {
    const auto first = std::find_if(order.begin(), order.end(), [&](const auto& entry) {
      return !whole || entry.second->pinned_end() == entry.second->begin;
    });
    if (first == order.end()) continue;
    const double worth = value(*first->second, now);
    if (out != nullptr && worth >= least) continue;
    out = first->second;
    least = worth;
  }
  return out;
}

}  // namespace cortex::cache
