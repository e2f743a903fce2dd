// SPDX-License-Identifier: Apache-2.0
#include "frontend/codec/responses/memory_book.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace cortex::frontend::responses {
namespace {

using Ages = std::multimap<std::int64_t, std::string>;

void take_out(Ages& ages, std::int64_t at, const std::string& id) {
  const auto [first, last] = ages.equal_range(at);
  const auto found = std::find_if(first, last, [&](const auto& one) { return one.second == id; });
  if (found != last) ages.erase(found);
}

}  // namespace

MemoryBook::MemoryBook(ResponseBookOptions options) : options_(std::move(options)) {
  CHECK(options_.now != nullptr, "a book needs a clock");
}

bool MemoryBook::keep(KeptResponse response) {
  MutexLock lock(mutex_);
  const std::uint64_t bytes = response.bytes();
  const auto previous = entries_.find(response.previous);
  const bool continued = !response.previous.empty();
  const bool lost = continued && (previous == entries_.end() ||
                                  !(previous->second.response.owner == response.owner));
  if (bytes > kKeptBytesMax || bytes > options_.bytes_max || lost) {
    ++counts_.refused;
    return false;
  }
  if (continued) {
    Entry& parent = previous->second;
    if (parent.children++ == 0) {
      take_out(leaves_[response.owner], parent.response.created_at, parent.response.id);
      take_out(ages_, parent.response.expires_at, parent.response.id);
    }
  }
  leaves_[response.owner].emplace(response.created_at, response.id);
  ages_.emplace(response.expires_at, response.id);
  held_[response.owner] += bytes;
  bytes_ += bytes;
  ++counts_.kept;
  const std::string id = response.id;
  const bool fresh = entries_.emplace(id, Entry{std::move(response), 0, false}).second;
  CHECK(fresh, "ids of responses are drawn at random");
  expire_locked();
  make_room_locked();
  return entries_.contains(id);
}

MemoryBook::Entry* MemoryBook::visible_locked(const ResponseOwner& owner, const std::string& id) {
  const auto found = entries_.find(id);
  if (found == entries_.end() || found->second.hidden) return nullptr;
  const KeptResponse& response = found->second.response;
  const bool open = response.owner == owner && response.expires_at > options_.now();
  return open ? &found->second : nullptr;
}

void MemoryBook::find(const ResponseOwner& owner, const std::string& id, Then<KeptResponse> then) {
  Result<KeptResponse> out = no_such_response(id);
  {
    MutexLock lock(mutex_);
    if (const Entry* entry = visible_locked(owner, id)) out = entry->response;
  }
  then(std::move(out));
}

void MemoryBook::conversation(
    const ResponseOwner& owner, const std::string& id, Then<std::vector<std::string>> then
) {
  std::vector<std::string> turns;
  Status status;
  {
    MutexLock lock(mutex_);
    const Entry* entry = visible_locked(owner, id);
    if (entry == nullptr) status = no_such_response(id);
    while (entry != nullptr && turns.size() < 2 * kTurnsMax) {
      turns.push_back(entry->response.output);
      turns.push_back(entry->response.input);
      const auto previous = entries_.find(entry->response.previous);
      entry = previous == entries_.end() ? nullptr : &previous->second;
    }
    if (entry != nullptr) status = too_many_turns();
  }
  std::reverse(turns.begin(), turns.end());
  if (!status.ok()) return then(status);
  then(std::move(turns));
}

void MemoryBook::remove(
    const ResponseOwner& owner, const std::string& id, std::function<void(Status)> then
) {
  bool found = false;
  {
    MutexLock lock(mutex_);
    if (Entry* entry = visible_locked(owner, id)) {
      found = true;
      entry->hidden = true;
      if (entry->children == 0) drop_locked(entries_.find(id));
    }
  }
  then(found ? Status() : no_such_response(id));
}

ResponseCounts MemoryBook::counts() const {
  MutexLock lock(mutex_);
  return counts_;
}

std::uint64_t MemoryBook::bytes() const {
  MutexLock lock(mutex_);
  return bytes_;
}

// Takes away the end of a conversation; and those before it that were removed already.
void MemoryBook::drop_locked(Entries::iterator leaf) {
  for (;;) {
    const KeptResponse& response = leaf->second.response;
    const auto previous = entries_.find(response.previous);
    const std::uint64_t bytes = response.bytes();
    bytes_ -= bytes;
    const auto held = held_.find(response.owner);
    held->second -= bytes;
    auto& leaves = leaves_[response.owner];
    take_out(leaves, response.created_at, response.id);
    take_out(ages_, response.expires_at, response.id);
    if (held->second == 0) {
      leaves_.erase(response.owner);
      held_.erase(held);
    }
    entries_.erase(leaf);
    if (previous == entries_.end() || --previous->second.children > 0) return;
    const KeptResponse& parent = previous->second.response;
    leaves_[parent.owner].emplace(parent.created_at, parent.id);
    ages_.emplace(parent.expires_at, parent.id);
    if (!previous->second.hidden) return;
    leaf = previous;
  }
}

void MemoryBook::expire_locked() {
  const std::int64_t now = options_.now();
  while (!ages_.empty() && ages_.begin()->first <= now) {
    ++counts_.expired;
    drop_locked(entries_.find(ages_.begin()->second));
  }
}

MemoryBook::Entries::iterator MemoryBook::oldest_leaf_locked() {
  const auto most = std::max_element(held_.begin(), held_.end(), [](const auto& a, const auto& b) {
    return a.second < b.second;
  });
  return entries_.find(leaves_.at(most->first).begin()->second);
}

void MemoryBook::make_room_locked() {
  while (bytes_ > options_.bytes_max) {
    ++counts_.evicted;
    drop_locked(oldest_leaf_locked());
  }
}

}  // namespace cortex::frontend::responses
