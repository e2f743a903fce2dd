// SPDX-License-Identifier: Apache-2.0
#include "cache/named_prefixes.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace cortex::cache {
namespace {

constexpr std::size_t kNameBytesMax = 512;

}  // namespace

Status NamedPrefixes::add(NamedPrefix prefix) {
  if (prefix.name.empty() || prefix.name.size() > kNameBytesMax) {
    return invalid_argument("the name of a prefix has 1 to 512 characters");
  }
  if (prefix.tokens.empty()) return invalid_argument("a prefix has at least one token");
  if (entries_.contains(prefix.name)) {
    return already_exists("there is a prefix '" + prefix.name + "'");
  }
  if (entries_.size() >= limits_.names_max) {
    return resource_exhausted(
        "the model has " + std::to_string(limits_.names_max) + " named prefixes, which is the limit"
    );
  }
  if (prefix.tokens.size() > limits_.tokens_max - tokens_) {
    return resource_exhausted(
        "named prefixes would have " + std::to_string(tokens_ + prefix.tokens.size()) +
        " tokens, the limit is " + std::to_string(limits_.tokens_max)
    );
  }
  tokens_ += prefix.tokens.size();
  prefix.held = 0;
  std::string name = prefix.name;
  entries_.emplace(std::move(name), Entry{std::move(prefix), nullptr, false});
  return {};
}

bool NamedPrefixes::remove(const std::string& name) {
  const auto at = entries_.find(name);
  if (at == entries_.end()) return false;
  tokens_ -= at->second.prefix.tokens.size();
  entries_.erase(at);
  return true;
}

std::size_t NamedPrefixes::forget(const PrefixSpace& space) {
  const std::size_t before = entries_.size();
  for (const NamedPrefix& prefix : list()) {
    if (prefix.space == space) remove(prefix.name);
  }
  return before - entries_.size();
}

const NamedPrefix* NamedPrefixes::next_missing() {
  for (auto& [name, entry] : entries_) {
    if (entry.tried || entry.prefix.held == entry.prefix.tokens.size()) continue;
    entry.tried = true;
    return &entry.prefix;
  }
  return nullptr;
}

void NamedPrefixes::renew() {
  for (auto& [name, entry] : entries_) entry.tried = false;
}

void NamedPrefixes::hold(const std::string& name, PrefixTree::Pin pin, std::size_t tokens) {
  const auto at = entries_.find(name);
  if (at == entries_.end()) return;
  CHECK(tokens <= at->second.prefix.tokens.size(), "no more is held than there is");
  at->second.pin = std::move(pin);
  at->second.prefix.held = tokens;
}

void NamedPrefixes::release() {
  for (auto& [name, entry] : entries_) {
    entry.pin.reset();
    entry.prefix.held = 0;
    entry.tried = false;
  }
}

std::optional<NamedPrefix> NamedPrefixes::find(const std::string& name) const {
  const auto at = entries_.find(name);
  if (at == entries_.end()) return std::nullopt;
  return at->second.prefix;
}

std::vector<NamedPrefix> NamedPrefixes::list() const {
  std::vector<NamedPrefix> out;
  out.reserve(entries_.size());
  for (const auto& [name, entry] : entries_) out.push_back(entry.prefix);
  return out;
}

std::size_t NamedPrefixes::tokens_held() const {
  std::size_t out = 0;
  for (const auto& [name, entry] : entries_) out += entry.prefix.held;
  return out;
}

}  // namespace cortex::cache
