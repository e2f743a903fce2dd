// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>

namespace cortex {

// Asks the system for large pages under a block that is written for the first time next. Small ones
// come one by one, and for a block of many megabytes that takes several times as long as to write
// it. A wish: nothing happens where the block is smaller than a large page, or the system has none.
// Thread-safe.
void prefer_large_pages(void* block, std::size_t bytes);

}  // namespace cortex
