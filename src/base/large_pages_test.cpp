// SPDX-License-Identifier: Apache-2.0
#include "base/large_pages.h"

#include <sys/mman.h>

#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>

#include <gtest/gtest.h>

namespace cortex {
namespace {

constexpr std::size_t kMegabyte = 1U << 20;

// Of the mapping in which the address lies, as the system names them: "hg" were asked to be large.
std::string flags_of(const void* address) {
  const auto wanted = reinterpret_cast<std::uintptr_t>(address);
  std::ifstream maps("/proc/self/smaps");
  bool here = false;
  for (std::string line; std::getline(maps, line);) {
    unsigned long begin = 0;
    unsigned long end = 0;
    if (std::sscanf(line.c_str(), "%lx-%lx ", &begin, &end) == 2)
      here = begin <= wanted && wanted < end;
    if (here && line.starts_with("VmFlags:")) return line + " ";
  }
  return "";
}

class LargePages : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_NE(block_, MAP_FAILED);
    if (!std::filesystem::exists("/sys/kernel/mm/transparent_hugepage")) GTEST_SKIP();
  }
  ~LargePages() override { munmap(block_, kBytes); }

  static constexpr std::size_t kBytes = 16 * kMegabyte;
  char* const block_ = static_cast<char*>(
      mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
  );
};

TEST_F(LargePages, are_asked_for_within_the_block) {
  prefer_large_pages(block_ + 1, kBytes - 2);
  EXPECT_NE(flags_of(block_ + kBytes / 2).find(" hg "), std::string::npos);
  EXPECT_EQ(flags_of(block_).find(" hg "), std::string::npos) << "not all of it is the block's";
}

TEST_F(LargePages, are_not_asked_for_where_none_fits) {
  prefer_large_pages(block_ + 1, 2 * kMegabyte);
  prefer_large_pages(block_, 0);
  EXPECT_EQ(flags_of(block_ + kMegabyte).find(" hg "), std::string::npos);
}

}  // namespace
}  // namespace cortex
