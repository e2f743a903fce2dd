// SPDX-License-Identifier: Apache-2.0
#include "cache/detail/prefix_index.h"

#include <algorithm>

#include "cache/detail/fold.h"
#include "cache/detail/prefix_entry.h"

namespace cortex::cache {
namespace {

std::size_t count_alike(std::span<const Token> a, std::span<const Token> b) {
  const std::size_t most = std::min(a.size(), b.size());
  const auto ends =
      std::mismatch(a.begin(), a.begin() + static_cast<std::ptrdiff_t>(most), b.begin());
  return static_cast<std::size_t>(ends.first - a.begin());
}

}  // namespace

std::vector<std::uint64_t> PrefixIndex::hashes(
    const PrefixSpace& space, std::span<const Token> tokens
) {
  std::uint64_t sum = fold_text(fold_text(fold_text(0, space.adapter), space.tenant), space.salt);
  std::vector<std::uint64_t> out;
  out.reserve(tokens.size() / kBlock);
  for (std::size_t end = kBlock; end <= tokens.size(); end += kBlock) {
    sum = fold_bytes(sum, std::as_bytes(tokens.subspan(end - kBlock, kBlock)));
    out.push_back(sum);
  }
  return out;
}

void PrefixIndex::add(const EntryPtr& entry) {
  for (const std::uint64_t hash : hashes(entry->key.space, entry->key.tokens)) {
    blocks_[hash].push_back(entry);
  }
}

void PrefixIndex::remove(const EntryPtr& entry) {
  for (const std::uint64_t hash : hashes(entry->key.space, entry->key.tokens)) {
    const auto at = blocks_.find(hash);
    if (at == blocks_.end()) continue;
    std::erase(at->second, entry);
    if (at->second.empty()) blocks_.erase(at);
  }
}

PrefixIndex::Hit PrefixIndex::find(const PrefixSpace& space, std::span<const Token> tokens) const {
  const auto all = hashes(space, tokens);
  for (std::size_t block = all.size(); block > 0; --block) {
    const auto at = blocks_.find(all[block - 1]);
    if (at == blocks_.end()) continue;
    Hit best;
    for (const EntryPtr& entry : at->second) {
      if (entry->key.space != space) continue;
      const std::size_t alike = count_alike(tokens, entry->key.tokens);
      const bool shorter =
          best.entry != nullptr && entry->key.tokens.size() < best.entry->key.tokens.size();
      if (alike > best.tokens || (alike == best.tokens && shorter)) best = {entry, alike};
    }
    if (best.tokens >= kBlock) return best;
  }
  return {};
}

std::vector<EntryPtr> PrefixIndex::inside(
    const PrefixSpace& space, std::span<const Token> tokens, std::size_t tokens_min
) const {
  std::vector<EntryPtr> out;
  const auto all = hashes(space, tokens);
  for (std::size_t block = 0; block < all.size(); ++block) {
    const auto at = blocks_.find(all[block]);
    if (at == blocks_.end()) continue;
    for (const EntryPtr& entry : at->second) {
      const std::span<const Token> own = entry->key.tokens;
      // Each entry is met at its last block alone.
      if (own.size() / kBlock != block + 1 || own.size() < tokens_min) continue;
      if (own.size() >= tokens.size() || entry->key.space != space) continue;
      if (count_alike(tokens, own) == own.size()) out.push_back(entry);
    }
  }
  return out;
}

}  // namespace cortex::cache
