// SPDX-License-Identifier: Apache-2.0
#include "registry/folder_locks.h"

#include <atomic>
#include <optional>

#include <gtest/gtest.h>

#include "base/thread.h"

namespace cortex::registry {
namespace {

constexpr Duration kLong = std::chrono::seconds(20);
constexpr Duration kShort = std::chrono::milliseconds(1);

TEST(FolderLocks, changes_what_nobody_reads) {
  FolderLocks locks;
  const FolderLocks::Reading other(locks, "m/2");
  EXPECT_TRUE(locks.change("m/1", kShort, [] { return Status(); }).ok());
  const auto refuse = [] { return invalid_argument("no"); };
  EXPECT_EQ(locks.change("m/1", kShort, refuse).code(), Code::kInvalidArgument);
}

TEST(FolderLocks, leaves_what_is_read_until_the_last_reader_has_left) {
  FolderLocks locks;
  int calls = 0;
  const auto change = [&] {
    return locks.change("m/1", kShort, [&] {
      ++calls;
      return Status();
    });
  };
  auto first = std::make_optional<FolderLocks::Reading>(locks, "m/1");
  auto second = std::make_optional<FolderLocks::Reading>(locks, "m/1");
  EXPECT_EQ(change().code(), Code::kUnavailable);
  first.reset();
  EXPECT_EQ(change().code(), Code::kUnavailable);
  EXPECT_EQ(calls, 0);
  second.reset();
  EXPECT_TRUE(change().ok());
  EXPECT_EQ(calls, 1);
}

TEST(FolderLocks, waits_for_a_reader) {
  FolderLocks locks;
  std::atomic<bool> read = false;
  auto reading = std::make_optional<FolderLocks::Reading>(locks, "m/1");
  Thread changing("changing", [&] {
    const auto change = [&] { return read ? Status() : internal("somebody still reads"); };
    EXPECT_TRUE(locks.change("m/1", kLong, change).ok());
  });
  read = true;
  reading.reset();
  changing.join();
}

}  // namespace
}  // namespace cortex::registry
