// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <list>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

namespace cortex::store {

// How many statements a connection keeps prepared.
inline constexpr std::size_t kPreparedStatements = 256;

// The prepared statements of one connection by their text, the least recently used going first.
// `T` gives up what it holds in its destructor. Thread: the connection's.
template <typename T>
class StatementCache {
 public:
  explicit StatementCache(std::size_t limit) : limit_(limit) {}

  // Null when it is not there. Valid until the next put() or clear().
  [[nodiscard]] T* find(std::string_view text) {
    const auto found = index_.find(text);
    if (found == index_.end()) return nullptr;
    entries_.splice(entries_.begin(), entries_, found->second);
    return &found->second->second;
  }

  // REQUIRES: it is not there.
  T& put(std::string text, T statement) {
    if (entries_.size() >= limit_) {
      index_.erase(entries_.back().first);
      entries_.pop_back();
    }
    entries_.emplace_front(std::move(text), std::move(statement));
    index_.emplace(entries_.front().first, entries_.begin());
    return entries_.front().second;
  }

  void clear() {
    index_.clear();
    entries_.clear();
  }

  [[nodiscard]] std::size_t size() const { return entries_.size(); }

 private:
  using Entries = std::list<std::pair<std::string, T>>;

  const std::size_t limit_;
  Entries entries_;
  std::unordered_map<std::string_view, typename Entries::iterator> index_;  // views of entries_
};

}  // namespace cortex::store
