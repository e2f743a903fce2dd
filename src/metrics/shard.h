// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstddef>

namespace cortex::metrics {

// Counters are kept once per shard, so that threads do not pass a cache line back and forth. More
// shards than this cost memory and the reader's time without helping the few threads that a process
// has.
inline constexpr std::size_t kShards = 8;
inline constexpr std::size_t kCacheLine = 64;

// The calling thread's shard: threads take them in turn.
[[nodiscard]] inline std::size_t shard_index() {
  static std::atomic<std::size_t> next{0};
  thread_local const std::size_t mine = next.fetch_add(1, std::memory_order_relaxed) % kShards;
  return mine;
}

}  // namespace cortex::metrics
