// SPDX-License-Identifier: Apache-2.0
#include "scheduler/lane_inbox.h"

#include <algorithm>

#include "scheduler/prefix_space.h"

namespace cortex::scheduler {

Code LaneInbox::leave(SequenceArrival& arrival, const std::string& adapter) {
  MutexLock lock(mutex_);
  if (closed_) return Code::kUnavailable;
  if (!adapter.empty()) {
    const auto found = adapters_.find(adapter);
    if (found == adapters_.end()) return Code::kNotFound;
    arrival.adapter = found->second;
  }
  news_.arrivals.push_back(std::move(arrival));
  wake_locked();
  return Code::kOk;
}

void LaneInbox::add_adapter(
    std::string name, std::shared_ptr<const backend::SequenceAdapter> adapter
) {
  auto named = std::make_shared<NamedAdapter>();
  named->name = name;
  named->adapter = std::move(adapter);
  MutexLock lock(mutex_);
  named->number = ++numbers_;
  forget_prefixes_locked(name);
  auto& place = adapters_[std::move(name)];
  if (place) news_.removed.push_back(std::move(place));
  place = std::move(named);
  wake_locked();
}

bool LaneInbox::remove_adapter(const std::string& name) {
  MutexLock lock(mutex_);
  const auto found = adapters_.find(name);
  if (found == adapters_.end()) return false;
  forget_prefixes_locked(name);
  news_.removed.push_back(std::move(found->second));
  adapters_.erase(found);
  wake_locked();
  return true;
}

void LaneInbox::forget_prefixes_locked(const std::string& adapter) {
  std::erase_if(named_, [&](const auto& entry) REQUIRES_LOCK(mutex_) {
    if (entry.second.adapter != adapter) return false;
    names_.remove(entry.first);
    news_.prefixes.emplace_back(entry.first, std::nullopt);
    return true;
  });
}

Status LaneInbox::add_prefix(backend::SequencePrefix prefix) {
  PrefixArrival arrival;
  arrival.name = prefix.name;
  arrival.adapter_scale = prefix.adapter_scale;
  MutexLock lock(mutex_);
  if (closed_) return unavailable("the model is being unloaded");
  if (!prefix.adapter.empty()) {
    const auto found = adapters_.find(prefix.adapter);
    if (found == adapters_.end()) return not_found("there is no adapter '" + prefix.adapter + "'");
    arrival.adapter = found->second;
  }
  arrival.space = prefix_space(
      joined_names(prefix.workspace, prefix.tenant),
      std::move(prefix.cache_salt),
      arrival.adapter.get(),
      prefix.adapter_scale
  );
  cache::NamedPrefix named;
  named.name = prefix.name;
  named.space = arrival.space;
  named.tokens = prefix.tokens;
  CORTEX_RETURN_IF_ERROR(names_.add(std::move(named)));
  Named& shown = named_[prefix.name];
  shown.stored = arrival.space;
  if (arrival.adapter) {
    const auto stored = stored_adapter(*arrival.adapter, prefix.adapter_scale);
    if (stored) shown.stored->adapter = *stored;
    if (!stored) shown.stored.reset();
  }
  shown.tenant = std::move(prefix.tenant);
  shown.adapter = std::move(prefix.adapter);
  arrival.tokens = std::move(prefix.tokens);
  news_.prefixes.emplace_back(std::move(prefix.name), std::move(arrival));
  wake_locked();
  return {};
}

bool LaneInbox::remove_prefix(const std::string& name) {
  MutexLock lock(mutex_);
  if (!names_.remove(name)) return false;
  named_.erase(name);
  news_.prefixes.emplace_back(name, std::nullopt);
  wake_locked();
  return true;
}

void LaneInbox::show_held(const std::string& name, std::size_t tokens) {
  MutexLock lock(mutex_);
  const auto known = names_.find(name);
  // The name may have been given to another prefix meanwhile.
  if (known) names_.hold(name, nullptr, std::min(tokens, known->tokens.size()));
}

bool LaneInbox::is_stored(const Named& named, const cache::NamedPrefix& prefix) const {
  if (!store_ || !named.stored) return false;
  const auto found = store_->find(*named.stored, prefix.tokens);
  return found && found->on_disk && found->tokens == prefix.tokens.size();
}

std::vector<PrefixState> LaneInbox::prefixes() const {
  MutexLock lock(mutex_);
  std::vector<PrefixState> out;
  for (const cache::NamedPrefix& prefix : names_.list()) {
    const Named& named = named_.at(prefix.name);
    PrefixState& state = out.emplace_back();
    state.name = prefix.name;
    state.tenant = named.tenant;
    state.adapter = named.adapter;
    state.tokens = prefix.tokens.size();
    state.held = prefix.held;
    state.stored = is_stored(named, prefix);
  }
  return out;
}

void LaneInbox::wake() {
  MutexLock lock(mutex_);
  wake_locked();
}

void LaneInbox::close() {
  MutexLock lock(mutex_);
  closed_ = true;
  wake_locked();
}

bool LaneInbox::take(TimePoint until, LaneNews& news) {
  MutexLock lock(mutex_);
  while (until != TimePoint{} && !woken_ && !closed_) {
    if (!condition_.wait_until(mutex_, until)) break;
  }
  woken_ = false;
  news = std::exchange(news_, {});
  return !closed_;
}

std::map<std::string, std::shared_ptr<const NamedAdapter>> LaneInbox::take_adapters() {
  MutexLock lock(mutex_);
  return std::exchange(adapters_, {});
}

void LaneInbox::wake_locked() {
  woken_ = true;
  condition_.notify_one();
}

}  // namespace cortex::scheduler
