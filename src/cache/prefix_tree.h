// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/clock.h"
#include "request/sampling.h"

namespace cortex::cache {

// What must be alike for two prompts to share anything: adapter (name, version, scale), tenant and
// salt. The tree has one root for each.
struct PrefixSpace {
  std::string adapter;  // name, version and scale; empty: the base model
  std::string tenant;
  std::string salt;
  auto operator<=>(const PrefixSpace&) const = default;
};

// What the lane has to do in the engine's memory, in order, for the tree to be true.
struct KvMove {
  enum class Kind : std::uint8_t {
    kShare,   // [begin, end) of `from` belongs to `to`, too
    kRemove,  // [begin, end) no longer belongs to `from`
  };
  Kind kind = Kind::kShare;
  std::int32_t from = 0;
  std::int32_t to = 0;
  std::int32_t begin = 0;
  std::int32_t end = 0;
  bool operator==(const KvMove&) const = default;
};

struct PrefixTreeOptions {
  std::int32_t holder_first = 0;  // ids [holder_first, holder_first + holders) are the tree's own
  std::int32_t holders = 0;
  std::size_t insert_tokens_min = 8;  // shorter ends are not worth an id
};

// The prefixes whose computed state lies in a language model's memory: a radix tree over tokens.
// Each node holds one span of positions through a holder id of its own; a running sequence that
// matched a path shares its spans and keeps the path from being evicted. Spans are counted once,
// however many share them.
//
// Bookkeeping alone: it says what to move, the lane does it. Not thread-safe: the lane's.
// Time: linear in the tokens of a call; eviction is logarithmic in the nodes.
class PrefixTree {
 public:
  struct Node;

  // Keeps a path from being evicted; let go of with the last copy. Must not outlive the tree.
  using Pin = std::shared_ptr<const void>;

  struct Match {
    std::size_t tokens = 0;     // of the prompt that are there
    std::vector<KvMove> moves;  // that give them to `runner`
    Pin pin;
  };

  explicit PrefixTree(PrefixTreeOptions options);
  ~PrefixTree();

  // The longest prefix of `tokens` in that space, at most `tokens_max` of it. Marks it as used at
  // `now`.
  [[nodiscard]] Match match(
      const PrefixSpace& space,
      std::span<const Token> tokens,
      std::size_t tokens_max,
      std::int32_t runner,
      TimePoint now
  );
  // The same length, and nothing marked or pinned.
  [[nodiscard]] std::size_t matching(const PrefixSpace& space, std::span<const Token> tokens) const;

  struct Insertion {
    std::vector<KvMove> moves;
    Pin pin;                 // of the whole path of `tokens` that is in the tree now
    std::size_t tokens = 0;  // of them in the tree now; less than all where holders ran out
  };
  // `runner` has computed the states of all `tokens`: what is not in the tree yet is shared with
  // new holders, splitting nodes where paths part. A leaf that nothing but the runner's own path
  // goes through is lengthened in place, so that inserting after each chunk of a prompt costs one
  // id. Evicts the least valuable unpinned leaf where no holder is free.
  [[nodiscard]] Insertion insert(
      const PrefixSpace& space, std::span<const Token> tokens, std::int32_t runner, TimePoint now
  );

  // Frees at least `cells` cells where it can, least valuable unpinned leaves first: value is what
  // it would cost to compute the span again, divided by the time since it was used. The moves;
  // what they free is counted in cells().
  [[nodiscard]] std::vector<KvMove> evict(std::size_t cells, TimePoint now);
  // Forgets a space (an adapter that was unloaded, a tenant), or all; pinned paths are forgotten at
  // once and their cells freed when they are let go of.
  [[nodiscard]] std::vector<KvMove> forget(const PrefixSpace& space);
  // Moves of nodes that were forgotten while pinned and are free now.
  [[nodiscard]] std::vector<KvMove> collect();

  // Cells that nodes hold, and of these the ones that evict() could free now.
  [[nodiscard]] std::size_t cells() const;
  [[nodiscard]] std::size_t evictable() const;
  [[nodiscard]] std::size_t nodes() const;

 private:
  struct Inner;
  std::unique_ptr<Inner> inner_;
};

}  // namespace cortex::cache
