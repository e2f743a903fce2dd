// SPDX-License-Identifier: Apache-2.0
#include "cache/detail/prefix_node.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace cortex::cache {

std::int32_t PrefixNode::end() const { return begin + static_cast<std::int32_t>(tokens.size()); }

std::int32_t PrefixNode::pinned_end() const {
  if (pins_below > 0) return end();
  return pins.empty() ? begin : pins.rbegin()->first;
}

std::size_t PrefixNode::alike(std::span<const Token> wanted) const {
  const std::size_t most = std::min(tokens.size(), wanted.size());
  const auto ends = std::mismatch(
      tokens.begin(), tokens.begin() + static_cast<std::ptrdiff_t>(most), wanted.begin()
  );
  return static_cast<std::size_t>(ends.first - tokens.begin());
}

PrefixNode* PrefixNode::child(Token first) const {
  const auto at = children.find(first);
  return at == children.end() ? nullptr : at->second.get();
}

PrefixNode& split_node(PrefixNode& node, std::int32_t at, std::uint64_t number) {
  CHECK(node.begin < at && at < node.end(), "a node is split inside");
  auto lower = std::make_unique<PrefixNode>();
  const auto cut = node.tokens.begin() + (at - node.begin);
  lower->parent = &node;
  lower->begin = at;
  lower->tokens.assign(cut, node.tokens.end());
  lower->used = node.used;
  lower->number = number;
  lower->forgotten = node.forgotten;
  lower->copied_end = node.copied_end;
  lower->pins_below = node.pins_below;
  node.tokens.erase(cut, node.tokens.end());
  std::swap(lower->children, node.children);
  for (auto& [first, child] : lower->children) child->parent = lower.get();
  const auto reaching = node.pins.upper_bound(at);
  for (auto pin = reaching; pin != node.pins.end(); ++pin) pin->second->node = lower.get();
  lower->pins.insert(reaching, node.pins.end());
  node.pins.erase(reaching, node.pins.end());
  node.pins_below += lower->pins.size();
  PrefixNode& out = *lower;
  node.children.emplace(out.tokens.front(), std::move(lower));
  return out;
}

}  // namespace cortex::cache
