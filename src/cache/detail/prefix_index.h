// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "cache/prefix_store.h"

namespace cortex::cache {

using EntryPtr = std::shared_ptr<PrefixStore::Entry>;

// Finds stored prefixes by the tokens they begin with: every kBlock tokens, an entry is known by a
// hash of all of its tokens so far. Hashes only lead there, tokens decide.
class PrefixIndex {
 public:
  static constexpr std::size_t kBlock = 16;

  struct Hit {
    EntryPtr entry;
    std::size_t tokens = 0;  // that are alike
  };

  void add(const EntryPtr& entry);
  void remove(const EntryPtr& entry);

  // The entry that has most of `tokens` in common, and of these the shortest; none for less than a
  // block.
  [[nodiscard]] Hit find(const PrefixSpace& space, std::span<const Token> tokens) const;
  // Entries of at least `tokens_min` tokens that `tokens` begins with and goes beyond.
  [[nodiscard]] std::vector<EntryPtr> inside(
      const PrefixSpace& space, std::span<const Token> tokens, std::size_t tokens_min
  ) const;

 private:
  [[nodiscard]] static std::vector<std::uint64_t> hashes(
      const PrefixSpace& space, std::span<const Token> tokens
  );

  std::unordered_map<std::uint64_t, std::vector<EntryPtr>> blocks_;
};

}  // namespace cortex::cache
