// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "cache/prefix_tree.h"

namespace cortex::cache::testing {

// A naive memory of a language model: it knows of every cell what it was computed for, and names
// the first move that an engine could not do.
class KvMemory {
 public:
  struct Cell {
    PrefixSpace space;
    std::vector<Token> prefix;  // up to and with its own token
    bool forgotten = false;
  };
  using CellPtr = std::shared_ptr<Cell>;
  using Row = std::map<std::int32_t, CellPtr>;  // by position

  explicit KvMemory(std::int32_t holder_first) : holder_first_(holder_first) {}

  // Cells of tokens[from …] for `sequence`.
  void compute(
      std::int32_t sequence,
      const PrefixSpace& space,
      std::span<const Token> tokens,
      std::size_t from
  ) {
    for (std::size_t i = from; i < tokens.size(); ++i) {
      const auto prefix = tokens.first(i + 1);
      rows_[sequence][static_cast<std::int32_t>(i)] =
          std::make_shared<Cell>(Cell{space, {prefix.begin(), prefix.end()}, false});
    }
  }

  void clear(std::int32_t sequence) { rows_.erase(sequence); }

  // Empty, or what is wrong.
  [[nodiscard]] std::string apply(const std::vector<KvMove>& moves) {
    for (const KvMove& move : moves) {
      const std::string wrong = apply(move);
      if (!wrong.empty()) return wrong + " in " + text_of(move);
    }
    return {};
  }

  [[nodiscard]] Row row(std::int32_t sequence) const {
    const auto at = rows_.find(sequence);
    return at == rows_.end() ? Row{} : at->second;
  }

  // Cells that holders hold, one entry for each holder that holds it.
  [[nodiscard]] std::vector<CellPtr> held() const {
    std::vector<CellPtr> out;
    for (auto at = rows_.lower_bound(holder_first_); at != rows_.end(); ++at) {
      for (const auto& [position, cell] : at->second) out.push_back(cell);
    }
    return out;
  }

  [[nodiscard]] std::size_t holders_used() const {
    std::size_t out = 0;
    for (auto at = rows_.lower_bound(holder_first_); at != rows_.end(); ++at) ++out;
    return out;
  }

  // All cells, each once.
  [[nodiscard]] std::size_t cells() const {
    std::set<const Cell*> out;
    for (const auto& [sequence, row] : rows_) {
      for (const auto& [position, cell] : row) out.insert(cell.get());
    }
    return out.size();
  }

  // How much of `tokens` the holders hold.
  [[nodiscard]] std::size_t matching(const PrefixSpace& space, std::span<const Token> tokens)
      const {
    std::set<std::vector<Token>> prefixes;
    for (const CellPtr& cell : held()) {
      if (cell->space == space && !cell->forgotten) prefixes.insert(cell->prefix);
    }
    std::size_t out = 0;
    while (out < tokens.size()) {
      const auto next = tokens.first(out + 1);
      if (!prefixes.contains({next.begin(), next.end()})) break;
      ++out;
    }
    return out;
  }

  void forget(const PrefixSpace& space) {
    for (const CellPtr& cell : held()) {
      if (cell->space == space) cell->forgotten = true;
    }
  }

  // True when `sequence` holds exactly the cells of `tokens` in that space.
  [[nodiscard]] bool holds(
      std::int32_t sequence, const PrefixSpace& space, std::span<const Token> tokens
  ) const {
    const Row cells = row(sequence);
    if (cells.size() != tokens.size()) return false;
    for (const auto& [position, cell] : cells) {
      const auto prefix = tokens.first(static_cast<std::size_t>(position) + 1);
      const std::vector<Token> wanted(prefix.begin(), prefix.end());
      if (cell->space != space || cell->prefix != wanted) return false;
    }
    return true;
  }

 private:
  std::string apply(const KvMove& move) {
    if (move.begin >= move.end) return "nothing to move";
    Row& from = rows_[move.from];
    for (std::int32_t position = move.begin; position < move.end; ++position) {
      const auto at = from.find(position);
      if (at == from.end()) return "no cell at " + std::to_string(position);
      if (move.kind == KvMove::Kind::kRemove) {
        from.erase(at);
      } else if (!rows_[move.to].emplace(position, at->second).second) {
        return "a second cell at " + std::to_string(position);
      }
    }
    if (from.empty()) rows_.erase(move.from);
    return {};
  }

  static std::string text_of(const KvMove& move) {
    const bool share = move.kind == KvMove::Kind::kShare;
    return (share ? "share " : "remove ") + std::to_string(move.from) + " -> " +
           std::to_string(move.to) + " [" + std::to_string(move.begin) + ", " +
           std::to_string(move.end) + ")";
  }

  std::int32_t holder_first_;
  std::map<std::int32_t, Row> rows_;
};

}  // namespace cortex::cache::testing
