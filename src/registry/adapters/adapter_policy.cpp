// SPDX-License-Identifier: Apache-2.0
#include "registry/adapters/adapter_policy.h"

#include <algorithm>
#include <chrono>
#include <numeric>
#include <string>

namespace cortex::registry {
namespace {

constexpr std::chrono::milliseconds kRoomAgainAfter{1000};

}  // namespace

Result<std::vector<std::size_t>> make_room(
    std::span<const AdapterPlace> places, const AdapterLimits& limits, std::size_t bytes
) {
  std::vector<std::size_t> order(places.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::stable_sort(order, {}, [&](std::size_t i) { return places[i].last_used; });
  std::size_t count = 1;
  std::size_t sum = bytes;
  for (const AdapterPlace& place : places) {
    count += place.same_model ? 1 : 0;
    sum += place.bytes;
  }
  const auto too_many = [&] { return count > limits.adapters_max; };
  const auto too_much = [&] { return limits.bytes_max > 0 && sum > limits.bytes_max; };
  std::vector<std::size_t> out;
  for (const std::size_t i : order) {
    if (!too_many() && !too_much()) return out;
    const AdapterPlace& place = places[i];
    if (place.pinned || place.in_use) continue;
    if (!too_much() && !place.same_model) continue;
    out.push_back(i);
    sum -= place.bytes;
    count -= place.same_model ? 1 : 0;
  }
  if (too_many()) {
    return resource_exhausted(
               "Maximum adapters (" + std::to_string(limits.adapters_max) + ") already loaded"
    )
        .with_retry_after(kRoomAgainAfter);
  }
  if (too_much()) {
    return resource_exhausted(
               "adapters.memory (" + std::to_string(limits.bytes_max) +
               " bytes) leaves no room for this adapter"
    )
        .with_retry_after(kRoomAgainAfter);
  }
  return out;
}

}  // namespace cortex::registry
