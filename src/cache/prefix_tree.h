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
  // What attending to one earlier cell costs, as a part of what a token costs by itself: how much
  // dearer a token is to compute again the further back it stands.
  double attend_cost = 1.0 / 1024;
};

// The prefixes whose computed state lies in a language model's memory: a radix tree over tokens.
// Each node holds one span of positions through a holder id of its own; a running sequence that
// matched a path shares its spans and keeps the path from being evicted. Spans are counted once,
// however many share them.
//
// Bookkeeping alone: it says what to move, the lane does it, before the next call of the tree. Not
// thread-safe: the lane's. Time: linear in the tokens of a call; eviction is logarithmic in the
// nodes.
class PrefixTree {
 public:
  // Keeps a path from being evicted, to the token; let go of with the last copy, on the lane's
  // thread. Must not outlive the tree.
  using Pin = std::shared_ptr<const void>;

  struct Match {
    std::size_t tokens = 0;     // of the prompt that are there
    std::vector<KvMove> moves;  // that give them to `runner`
    Pin pin;                    // null when there are none
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
    Pin pin;                 // of the whole path of `tokens` that is in the tree now; or null
    std::size_t tokens = 0;  // of them in the tree now; less than all where holders ran out
  };
  // `runner` has computed the states of all `tokens`. `pin`: what match() or the insert() before
  // gave this runner for a part of them; it is given back, longer. What is not in the tree yet is
  // shared with new holders, splitting nodes where paths part; what another runner computed
  // meanwhile takes the place of the runner's own cells. Afterwards the runner shares the first
  // `Insertion::tokens` with the tree, and the rest is its own.
  // A leaf is lengthened in place, so that inserting after each chunk of a prompt costs one id.
  // Evicts the least valuable unpinned leaf where no holder is free. Where the pinned path was
  // forgotten, it stays what it is.
  [[nodiscard]] Insertion insert(
      const PrefixSpace& space,
      std::span<const Token> tokens,
      std::int32_t runner,
      TimePoint now,
      Pin pin = nullptr
  );

  // Frees `cells` cells, or as many as it can: ends of the least valuable leaves, as far as no pin
  // reaches. The value is what a cell would cost to compute again, divided by the time since it
  // was used.
  [[nodiscard]] std::vector<KvMove> evict(std::size_t cells, TimePoint now);
  struct Copy {
    PrefixSpace space;
    std::vector<Token> tokens;
    Pin pin;  // of the path
  };
  // What is worth a copy below this tier (PrefixStore), so that it need not be computed again after
  // its eviction or a restart: a path of at least `tokens_min` tokens to a leaf or a fork that was
  // not given out before, or has grown by as many since. The least valuable first: it is evicted
  // first. Linear in the nodes.
  [[nodiscard]] std::optional<Copy> copy(std::size_t tokens_min, TimePoint now);
  // What gives positions [begin, end) of a pinned path to `runner`. REQUIRES: the path has them.
  [[nodiscard]] std::vector<KvMove> part(
      const Pin& pin, std::size_t begin, std::size_t end, std::int32_t runner
  );

  // Forgets a space (an adapter that was unloaded, a tenant); what is pinned is not found any more
  // and freed when it is let go of.
  [[nodiscard]] std::vector<KvMove> forget(const PrefixSpace& space);
  // Moves of nodes that were forgotten while pinned and are free now. Every call that gives moves
  // gives these first.
  [[nodiscard]] std::vector<KvMove> collect();

  // Cells that nodes hold, and of these the ones that evict() could free now.
  [[nodiscard]] std::size_t cells() const;
  [[nodiscard]] std::size_t evictable() const;
  [[nodiscard]] std::size_t nodes() const;
  [[nodiscard]] std::size_t holders_free() const;

 private:
  struct Inner;
  std::unique_ptr<Inner> inner_;
};

}  // namespace cortex::cache
