// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/status.h"
#include "request/sampling.h"

namespace cortex::backend {

// A bijection that spreads a number over all 64 bits (splitmix64's finaliser).
[[nodiscard]] constexpr std::uint64_t spread_bits(std::uint64_t x) {
  x += 0x9E3779B97F4A7C15U;
  x = (x ^ (x >> 30U)) * 0xBF58476D1CE4E5B9U;
  x = (x ^ (x >> 27U)) * 0x94D049BB133111EBU;
  return x ^ (x >> 31U);
}

[[nodiscard]] constexpr std::uint64_t join_bits(std::uint64_t a, std::uint64_t b) {
  return spread_bits(a * 0x9E3779B97F4A7C15U + b);
}

// The memory of a synthetic language model: cells that sequences share. Thread: the lane's, but for
// used().
class SequenceCells {
 public:
  struct Limits {
    std::size_t cells = 0;
    std::size_t sequences = 0;
    bool can_cut = true;
    std::uint64_t weights = 0;  // what the states start from
  };

  explicit SequenceCells(const Limits& limits);

  [[nodiscard]] std::size_t used() const { return used_.load(std::memory_order_relaxed); }
  [[nodiscard]] std::size_t free() const { return free_.size(); }

  // Computes a cell at the end of `sequence`; its state. REQUIRES: a free cell, and that the
  // sequence holds every position before `position` and no other.
  std::uint64_t add(
      std::int32_t sequence, std::int32_t position, Token token, std::uint64_t adapter
  );
  void share(std::int32_t from, std::int32_t to, std::int32_t begin, std::int32_t end);
  void remove(std::int32_t sequence, std::int32_t begin, std::int32_t end);

  [[nodiscard]] std::vector<std::byte> save(std::int32_t sequence) const;
  [[nodiscard]] Status restore(std::int32_t sequence, std::span<const std::byte> bytes);
  [[nodiscard]] static std::size_t saved_bytes_per_cell();

  // Tokens in order; holes are left out.
  [[nodiscard]] std::vector<Token> tokens(std::int32_t sequence) const;

 private:
  struct Cell {
    Token token = 0;
    std::uint32_t owners = 0;
    std::uint64_t state = 0;
  };
  // The cells of the positions `first` … ; kHole where there is none. Begins and ends with a cell.
  struct Held {
    std::int32_t first = 0;
    std::vector<std::int32_t> cells;
    std::uint64_t fold = 0;  // of the states of the first `folded` positions
    std::size_t folded = 0;

    [[nodiscard]] std::int32_t end() const;
    [[nodiscard]] std::int32_t at(std::int32_t position) const;
  };

  Held& held(std::int32_t sequence);
  [[nodiscard]] const Held& held(std::int32_t sequence) const;
  std::int32_t take_cell();
  void put(Held& held, std::int32_t position, std::int32_t cell);
  void trim(Held& held) const;
  void fold(Held& held) const;
  void check_whole(const Held& held, std::int32_t begin, std::int32_t end) const;

  const Limits limits_;
  std::vector<Cell> cells_;
  std::vector<std::int32_t> free_;
  std::vector<Held> held_;
  std::atomic<std::size_t> used_{0};
};

}  // namespace cortex::backend
