// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/status.h"
#include "cache/prefix_tree.h"
#include "request/sampling.h"

namespace cortex::cache {

struct NamedPrefixLimits {
  std::size_t names_max = 64;
  std::size_t tokens_max = 0;  // of all names together: cells that nothing else can have
};

// A prefix that many prompts begin with, and that stays: a persona.
struct NamedPrefix {
  std::string name;
  PrefixSpace space;
  std::vector<Token> tokens;
  std::size_t held = 0;  // of the tokens lie in memory now, and stay there
};

// The prefixes of one loaded model that have names, and their pins in its tree. Bookkeeping alone:
// it says what is missing, the lane computes it, inserts it and hands over the pin.
//
// Not thread-safe: the lane's. The tree outlives it.
class NamedPrefixes {
 public:
  explicit NamedPrefixes(NamedPrefixLimits limits) : limits_(limits) {}

  // Takes a name without holding anything yet. kInvalidArgument: a name of 1 to 512 characters and
  // some tokens are needed · kAlreadyExists · kResourceExhausted names the limit.
  [[nodiscard]] Status add(NamedPrefix prefix);
  // False when there is no such name. Its cells can be evicted from now on.
  bool remove(const std::string& name);
  // Removes those of a space (an adapter that was unloaded, a tenant), before the tree forgets it;
  // their number.
  std::size_t forget(const PrefixSpace& space);

  // One that is not held whole and was not tried since `renew`; null when there is none. It counts
  // as tried.
  [[nodiscard]] const NamedPrefix* next_missing();
  // Lets next_missing() offer once more what could not be held whole: there is room again.
  void renew();
  // `tokens` of it lie in the tree under that pin. A name that is gone lets go of the pin.
  void hold(const std::string& name, PrefixTree::Pin pin, std::size_t tokens);
  // Lets go of all pins and keeps the names: memory is short for what runs, or the lane ends.
  void release();

  [[nodiscard]] std::optional<NamedPrefix> find(const std::string& name) const;
  // By name.
  [[nodiscard]] std::vector<NamedPrefix> list() const;
  [[nodiscard]] std::size_t tokens_held() const;
  // All of them are held whole.
  [[nodiscard]] bool complete() const { return tokens_held() == tokens_; }

 private:
  struct Entry {
    NamedPrefix prefix;
    PrefixTree::Pin pin;
    bool tried = false;
  };

  const NamedPrefixLimits limits_;
  std::map<std::string, Entry> entries_;
  std::size_t tokens_ = 0;  // of all
};

}  // namespace cortex::cache
