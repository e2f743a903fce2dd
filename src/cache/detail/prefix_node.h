// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "base/clock.h"
#include "cache/prefix_tree.h"
#include "request/sampling.h"

namespace cortex::cache {

struct PrefixNode;

// One pin: all positions before `end`, of which the last lies in `node`.
struct PrefixPin {
  PrefixNode* node = nullptr;
  std::int32_t end = 0;
};

// Where a leaf stands in the order of eviction.
struct EvictionPlace {
  std::size_t cost_class = 0;
  TimePoint used{};
  std::uint64_t number = 0;
};

// One span of a path. A root has no tokens and no holder.
struct PrefixNode {
  PrefixNode* parent = nullptr;
  std::int32_t begin = 0;
  std::vector<Token> tokens;
  std::int32_t holder = -1;
  std::map<Token, std::unique_ptr<PrefixNode>> children;
  TimePoint used{};
  std::uint64_t number = 0;            // none is given twice
  const PrefixSpace* space = nullptr;  // of a root that is found by its space
  bool forgotten = false;
  std::int32_t copied_end = 0;  // copies of the path up to here were given out; 0: none

  std::multimap<std::int32_t, PrefixPin*> pins;  // that end here, by their end
  std::size_t pins_below = 0;                    // that end in a node below this one
  std::int32_t counted_pinned = 0;               // cells of it that the tree counts as pinned
  std::optional<EvictionPlace> place;

  [[nodiscard]] bool is_root() const { return parent == nullptr; }
  [[nodiscard]] std::int32_t end() const;
  // Up to which position it is pinned; `begin` where it is not.
  [[nodiscard]] std::int32_t pinned_end() const;
  // How many of `wanted` it begins with.
  [[nodiscard]] std::size_t alike(std::span<const Token> wanted) const;
  [[nodiscard]] PrefixNode* child(Token first) const;
};

// Gives the tokens from position `at` on, with all children and the pins that reach so far, to a
// new child of `node`, and returns that child. Holders are the caller's: the child has none.
// REQUIRES: begin < at < end.
PrefixNode& split_node(PrefixNode& node, std::int32_t at, std::uint64_t number);

}  // namespace cortex::cache
