// SPDX-License-Identifier: Apache-2.0
#include "registry/adapters/adapter_book.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace cortex::registry {
namespace {

void move_waiters(std::vector<AdapterWaiter>& from, std::vector<AdapterWaiter>& to) {
  std::ranges::move(from, std::back_inserter(to));
  from.clear();
}

}  // namespace

AdapterEntry* AdapterBook::find(const std::string& name) {
  const auto found = entries.find(name);
  return found == entries.end() ? nullptr : &found->second;
}

AdapterResidence* AdapterBook::find(const std::string& name, const Servable* servable) {
  const auto found = std::ranges::find_if(residences, [&](const AdapterResidence& one) {
    return one.adapter == name && one.servable == servable;
  });
  return found == residences.end() ? nullptr : &*found;
}

std::size_t AdapterBook::waiting() const {
  std::size_t out = 0;
  for (const AdapterResidence& one : residences) out += one.waiters.size();
  return out;
}

AdapterState AdapterBook::state_of(const AdapterEntry& entry) const {
  AdapterState out;
  out.record = entry.record;
  out.uses = entry.uses;
  out.last_used_at = entry.last_used_at;
  for (const AdapterResidence& one : residences) {
    if (one.adapter != entry.record.name) continue;
    out.waiting += one.waiters.size();
    if (one.phase == AdapterPhase::kLoaded) {
      out.memory_bytes += one.bytes;
      out.loaded_at = std::max(out.loaded_at, one.loaded_at);
      out.in_use += one.held->load();
      out.phase = AdapterPhase::kLoaded;
    } else if (out.phase != AdapterPhase::kLoaded) {
      out.phase = one.phase;
      out.failure = one.failure;
    }
  }
  if (out.phase != AdapterPhase::kFailed) out.failure = {};
  return out;
}

AdapterBook::Places AdapterBook::places(
    const std::string& adapter, const Servable* servable, const std::string& also_going
) const {
  Places out;
  for (std::size_t i = 0; i < residences.size(); ++i) {
    const AdapterResidence& one = residences[i];
    const bool goes = one.adapter == adapter || one.adapter == also_going;
    if (one.phase != AdapterPhase::kLoaded || (goes && one.servable == servable)) continue;
    const auto entry = entries.find(one.adapter);
    AdapterPlace& place = out.places.emplace_back();
    place.bytes = one.bytes;
    place.last_used = one.last_used;
    place.same_model = one.servable == servable;
    place.pinned = entry != entries.end() && entry->second.record.pinned;
    place.in_use = one.held->load() > 0;
    out.residences.push_back(i);
  }
  return out;
}

std::vector<AdapterWaiter> AdapterBook::settle(AdapterResidence loaded) {
  std::vector<AdapterWaiter> out;
  if (AdapterEntry* entry = find(loaded.adapter)) {
    entry->wanted = true;
    entry->put_away = false;
  }
  AdapterResidence* before = find(loaded.adapter, loaded.servable);
  if (before == nullptr) {
    residences.push_back(std::move(loaded));
    return out;
  }
  move_waiters(before->waiters, out);
  if (before->phase == AdapterPhase::kLoaded && before->identity != loaded.identity) {
    retired.push_back({before->identity, before->model, before->servable, before->held});
  }
  if (before->identity == loaded.identity) loaded.held = before->held;
  *before = std::move(loaded);
  return out;
}

std::vector<AdapterWaiter> AdapterBook::retire(const std::string& name) {
  std::vector<AdapterWaiter> out;
  if (AdapterEntry* entry = find(name)) entry->wanted = false;
  for (std::size_t i = residences.size(); i-- > 0;) {
    if (residences[i].adapter != name) continue;
    move_waiters(residences[i].waiters, out);
    retire(i);
  }
  return out;
}

void AdapterBook::forgive(const std::string& name) {
  std::erase_if(residences, [&](const AdapterResidence& one) {
    return one.adapter == name && one.phase == AdapterPhase::kFailed;
  });
}

void AdapterBook::retire(std::size_t residence) {
  AdapterResidence& one = residences[residence];
  if (one.phase == AdapterPhase::kLoaded) {
    retired.push_back({one.identity, one.model, one.servable, one.held});
    if (AdapterEntry* entry = find(one.adapter)) entry->wanted = false;
  }
  residences.erase(residences.begin() + static_cast<std::ptrdiff_t>(residence));
}

std::vector<RetiredAdapter> AdapterBook::take_released() {
  const auto again = [this](const RetiredAdapter& gone) {
    return std::ranges::any_of(residences, [&](const AdapterResidence& one) {
      return one.servable == gone.servable && one.identity == gone.identity;
    });
  };
  std::vector<RetiredAdapter> out;
  for (std::size_t i = retired.size(); i-- > 0;) {
    if (retired[i].held->load() > 0) continue;
    if (!again(retired[i])) out.push_back(retired[i]);
    retired.erase(retired.begin() + static_cast<std::ptrdiff_t>(i));
  }
  return out;
}

std::vector<AdapterWaiter> AdapterBook::forget(
    const std::function<bool(const ModelIdentity&, const Servable*)>& there
) {
  std::vector<AdapterWaiter> out;
  for (std::size_t i = residences.size(); i-- > 0;) {
    if (there(residences[i].model, residences[i].servable)) continue;
    move_waiters(residences[i].waiters, out);
    residences.erase(residences.begin() + static_cast<std::ptrdiff_t>(i));
  }
  std::erase_if(retired, [&](const RetiredAdapter& one) {
    return !there(one.model, one.servable);
  });
  return out;
}

std::vector<AdapterWaiter> AdapterBook::expire(TimePoint now, TimePoint& next) {
  std::vector<AdapterWaiter> out;
  for (AdapterResidence& one : residences) {
    const auto over = [&](const AdapterWaiter& waiter) { return waiter.until <= now; };
    std::ranges::copy_if(one.waiters, std::back_inserter(out), over);
    std::erase_if(one.waiters, over);
    for (const AdapterWaiter& waiter : one.waiters) next = std::min(next, waiter.until);
  }
  return out;
}

}  // namespace cortex::registry
