// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "cache/prefix_file.h"
#include "cache/prefix_store.h"

namespace cortex::cache {

// One stored prefix. What follows the line never changes; the rest is the store's, under its lock.
struct PrefixStore::Entry {
  PrefixKey key;
  std::string file;
  std::uint64_t state_bytes = 0;

  State state;                   // null: not in memory
  std::uint64_t memory_use = 0;  // its place in the order of use
  std::uint64_t disk_use = 0;    // 0: not on the disk
  std::uint64_t file_bytes = 0;
  bool writes = false;  // waits to be written
  bool gone = false;    // not found any more
};

}  // namespace cortex::cache
