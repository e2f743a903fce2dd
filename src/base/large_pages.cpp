// SPDX-License-Identifier: Apache-2.0
#include "base/large_pages.h"

#include <sys/mman.h>

#include <cerrno>
#include <memory>

namespace cortex {
namespace {

constexpr std::size_t kLargePage = 2U << 20;  // of x86-64, and of arm64 with pages of 4 KiB

}  // namespace

void prefer_large_pages(void* block, std::size_t bytes) {
  if (std::align(kLargePage, kLargePage, block, bytes) == nullptr) return;
  const int error = errno;
  static_cast<void>(madvise(block, bytes / kLargePage * kLargePage, MADV_HUGEPAGE));
  errno = error;
}

}  // namespace cortex
