// SPDX-License-Identifier: Apache-2.0
#include "backend/llama/detail/large_pages.h"

#include <sys/mman.h>

#include <cerrno>
#include <cstdint>

namespace cortex::backend {
namespace {

constexpr std::uintptr_t kLargePage = 2U << 20;  // of x86-64, and of arm64 with pages of 4 KiB

}  // namespace

void prefer_large_pages(void* block, std::size_t bytes) {
  const auto begin = reinterpret_cast<std::uintptr_t>(block);
  const std::uintptr_t first = (begin + kLargePage - 1) / kLargePage * kLargePage;
  const std::uintptr_t end = (begin + bytes) / kLargePage * kLargePage;
  if (end <= first) return;
  const int error = errno;
  static_cast<void>(madvise(reinterpret_cast<void*>(first), end - first, MADV_HUGEPAGE));
  errno = error;
}

}  // namespace cortex::backend
