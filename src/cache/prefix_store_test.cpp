// SPDX-License-Identifier: Apache-2.0
#include "cache/prefix_store.h"

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <numeric>

#include <gtest/gtest.h>

#include "base/mutex.h"
#include "cache/prefix_file.h"

namespace cortex::cache {
namespace {

namespace fs = std::filesystem;
using Bytes = std::vector<std::byte>;

TimePoint soon() { return steady_clock().now() + std::chrono::seconds(30); }

std::vector<Token> counting(std::size_t count, Token first = 0) {
  std::vector<Token> out(count);
  std::iota(out.begin(), out.end(), first);
  return out;
}

// What one would be told that waits for a load.
class LoadedState {
 public:
  void set(Result<PrefixStore::State> result) {
    MutexLock lock(mutex_);
    result_.emplace(std::move(result));
    condition_.notify_all();
  }
  Result<PrefixStore::State> get() {
    const TimePoint deadline = soon();
    MutexLock lock(mutex_);
    while (!result_) {
      if (!condition_.wait_until(mutex_, deadline)) return deadline_exceeded("no answer");
    }
    return *result_;
  }

 private:
  Mutex mutex_;
  Condition condition_;
  std::optional<Result<PrefixStore::State>> result_ GUARDED_BY(mutex_);
};

class PrefixStoreTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto* test = ::testing::UnitTest::GetInstance()->current_test_info();
    folder_ = fs::path(::testing::TempDir()) / ("prefixes-" + std::string(test->name()));
    fs::remove_all(folder_);
    options_.model = "model";
    options_.memory_bytes_max = 10'000;
    options_.disk_bytes_max = 100'000;
    options_.tokens_min = 16;
  }
  void TearDown() override {
    store_.reset();
    fs::remove_all(folder_);
  }

  void open(bool disk) {
    store_.reset();
    options_.folder = disk ? folder_ : fs::path();
    store_ = std::make_unique<PrefixStore>(options_);
    EXPECT_TRUE(store_->settle(soon()));
  }

  static Bytes state_of(const std::vector<Token>& tokens, std::size_t size = 1000) {
    Bytes out(size);
    for (std::size_t i = 0; i < size; ++i) {
      out[i] = static_cast<std::byte>(static_cast<std::size_t>(tokens.back()) + i);
    }
    return out;
  }

  void keep(
      const std::vector<Token>& tokens, std::size_t size = 1000, const PrefixSpace& space = {}
  ) {
    store_->keep(space, tokens, state_of(tokens, size));
    EXPECT_TRUE(store_->settle(soon()));
  }

  [[nodiscard]] std::size_t found(const std::vector<Token>& tokens, const PrefixSpace& space = {})
      const {
    const auto out = store_->find(space, tokens);
    return out ? out->tokens : 0;
  }

  Result<PrefixStore::State> load(const std::vector<Token>& tokens) {
    const auto found = store_->find({}, tokens);
    if (!found) return not_found("nothing is stored");
    LoadedState loaded;
    store_->load(*found, [&](Result<PrefixStore::State> result) { loaded.set(std::move(result)); });
    return loaded.get();
  }

  void expect_state(const std::vector<Token>& tokens, std::size_t size = 1000) {
    const auto state = load(tokens);
    ASSERT_TRUE(state.ok()) << state.status().to_string();
    EXPECT_EQ(**state, state_of(tokens, size));
  }

  [[nodiscard]] std::size_t files() const {
    std::size_t out = 0;
    for (const auto& entry : fs::directory_iterator(folder_)) {
      out += entry.path().filename() == "lock" ? 0 : 1;
    }
    return out;
  }

  [[nodiscard]] fs::path file_of(const std::vector<Token>& tokens) const {
    return folder_ / prefix_file_name({options_.model, {}, tokens});
  }

  fs::path folder_;
  PrefixStoreOptions options_;
  std::unique_ptr<PrefixStore> store_;
};

TEST_F(PrefixStoreTest, finds_the_state_with_most_tokens_in_common) {
  open(false);
  keep(counting(40));
  auto other = counting(100);
  other[50] = -1;
  keep(other);
  EXPECT_EQ(found(counting(200)), 50u);
  EXPECT_EQ(found(counting(44)), 44u);
  EXPECT_EQ(found(counting(30)), 30u);
  EXPECT_EQ(found(counting(15)), 0u);
  EXPECT_EQ(found(counting(40, 1)), 0u);
  const auto best = store_->find({}, counting(40));
  ASSERT_TRUE(best);
  EXPECT_EQ(best->cells, 40u) << "the shorter one restores less";
  EXPECT_EQ(best->bytes, 1000u);
  EXPECT_TRUE(best->in_memory);
}

TEST_F(PrefixStoreTest, keeps_spaces_apart) {
  open(false);
  keep(counting(40), 1000, {"lora@1*1", "", ""});
  EXPECT_EQ(found(counting(40)), 0u);
  EXPECT_EQ(found(counting(40), {"lora@1*1", "t", ""}), 0u);
  EXPECT_EQ(found(counting(40), {"lora@1*1", "", ""}), 40u);
}

TEST_F(PrefixStoreTest, gives_the_bytes_back) {
  open(false);
  keep(counting(40));
  expect_state(counting(40));
  EXPECT_TRUE(store_->holds({}, counting(40)));
  EXPECT_FALSE(store_->holds({}, counting(39)));
}

TEST_F(PrefixStoreTest, the_state_used_longest_ago_gives_way_to_the_budget) {
  open(false);
  for (Token i = 0; i < 10; ++i) keep(counting(32, 100 * i));
  expect_state(counting(32, 0));
  keep(counting(32, 1000));
  EXPECT_EQ(store_->counts().memory_bytes, 10'000u);
  EXPECT_EQ(store_->counts().evicted_memory, 1u);
  EXPECT_EQ(found(counting(32, 0)), 32u);
  EXPECT_EQ(found(counting(32, 100)), 0u);
  keep(counting(32, 2000), 10'001);
  EXPECT_EQ(store_->counts().refused, 1u);
  EXPECT_EQ(store_->counts().memory_states, 10u);
}

TEST_F(PrefixStoreTest, a_longer_state_takes_the_place_of_those_it_serves_for) {
  open(false);
  keep(counting(30));
  keep(counting(60));
  EXPECT_EQ(store_->counts().memory_states, 2u) << "restoring twice as much is dear";
  keep(counting(100));
  EXPECT_EQ(store_->counts().memory_states, 2u);
  EXPECT_FALSE(store_->holds({}, counting(60)));
  EXPECT_TRUE(store_->holds({}, counting(30)));
}

TEST_F(PrefixStoreTest, outlives_a_restart) {
  open(true);
  keep(counting(40));
  keep(counting(40, 500));
  open(true);
  EXPECT_EQ(store_->counts().disk_states, 2u);
  EXPECT_EQ(store_->counts().memory_states, 0u);
  const auto there = store_->find({}, counting(50));
  ASSERT_TRUE(there);
  EXPECT_EQ(there->tokens, 40u);
  EXPECT_FALSE(there->in_memory);
  expect_state(counting(40));
  EXPECT_TRUE(store_->find({}, counting(50))->in_memory);
  expect_state(counting(40, 500));
}

TEST_F(PrefixStoreTest, what_leaves_the_memory_stays_on_the_disk) {
  options_.memory_bytes_max = 2000;
  open(true);
  for (Token i = 0; i < 6; ++i) keep(counting(32, 100 * i));
  EXPECT_EQ(store_->counts().memory_states, 2u);
  EXPECT_EQ(store_->counts().disk_states, 6u);
  for (Token i = 0; i < 6; ++i) expect_state(counting(32, 100 * i));
}

TEST_F(PrefixStoreTest, the_disk_has_a_budget) {
  options_.memory_bytes_max = 0;
  options_.disk_bytes_max = 5000;
  open(true);
  for (Token i = 0; i < 6; ++i) keep(counting(32, 100 * i));
  EXPECT_EQ(store_->counts().disk_states, 4u);
  EXPECT_EQ(store_->counts().evicted_disk, 2u);
  EXPECT_LE(store_->counts().disk_bytes, 5000u);
  EXPECT_EQ(files(), 4u);
  EXPECT_EQ(found(counting(32, 100)), 0u);
  options_.disk_bytes_max = 2600;
  open(true);
  EXPECT_EQ(files(), 2u);
  EXPECT_EQ(store_->counts().evicted_disk, 2u);
}

TEST_F(PrefixStoreTest, a_broken_file_is_deleted_and_counted) {
  for (const int fault : {0, 1, 2, 3}) {
    SCOPED_TRACE(fault);
    open(true);
    keep(counting(40));
    store_.reset();
    const fs::path file = file_of(counting(40));
    const auto size = fs::file_size(file);
    if (fault == 0) fs::resize_file(file, size - 1);
    if (fault == 1) fs::resize_file(file, 20);
    if (fault == 2) std::ofstream(file) << "something else";
    if (fault == 3) fs::rename(file, folder_ / (std::string(32, '0') + ".prefix"));
    open(true);
    EXPECT_EQ(store_->counts().files_broken, 1u);
    EXPECT_EQ(files(), 0u);
    EXPECT_EQ(found(counting(40)), 0u);
  }
}

TEST_F(PrefixStoreTest, a_changed_byte_of_a_state_is_found_when_it_is_read) {
  open(true);
  keep(counting(40));
  store_.reset();
  {
    std::fstream file(file_of(counting(40)), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(-10, std::ios::end);
    file.put('!');
  }
  open(true);
  EXPECT_EQ(found(counting(40)), 40u);
  EXPECT_EQ(load(counting(40)).status().code(), Code::kDataLoss);
  EXPECT_EQ(store_->counts().files_broken, 1u);
  EXPECT_EQ(found(counting(40)), 0u);
  EXPECT_TRUE(store_->settle(soon()));
  EXPECT_EQ(files(), 0u);
}

TEST_F(PrefixStoreTest, files_of_another_model_are_deleted) {
  open(true);
  keep(counting(40));
  store_.reset();
  options_.model = "another";
  open(true);
  EXPECT_EQ(store_->counts().files_foreign, 1u);
  EXPECT_EQ(files(), 0u);
}

TEST_F(PrefixStoreTest, parts_of_files_are_cleared_away) {
  fs::create_directories(folder_);
  std::ofstream(folder_ / "x.prefix.part") << "half a file";
  open(true);
  EXPECT_EQ(files(), 0u);
}

TEST_F(PrefixStoreTest, a_full_disk_is_counted_and_leaves_no_file) {
  int calls = 0;
  options_.write = [&](int, const void*, std::size_t size) -> ssize_t {
    if (++calls % 2 == 0) return errno = ENOSPC, -1;
    return static_cast<ssize_t>(size);
  };
  open(true);
  keep(counting(40));
  EXPECT_EQ(store_->counts().writes_failed, 1u);
  EXPECT_EQ(store_->counts().disk_bytes, 0u);
  EXPECT_EQ(files(), 0u);
  expect_state(counting(40));
}

TEST_F(PrefixStoreTest, forgets_a_space_in_memory_and_on_the_disk) {
  open(true);
  keep(counting(40), 1000, {"", "tenant", ""});
  keep(counting(40));
  store_->forget({"", "tenant", ""});
  EXPECT_TRUE(store_->settle(soon()));
  EXPECT_EQ(found(counting(40), {"", "tenant", ""}), 0u);
  EXPECT_EQ(found(counting(40)), 40u);
  EXPECT_EQ(files(), 1u);
}

TEST_F(PrefixStoreTest, one_store_at_a_time_has_the_folder) {
  open(true);
  keep(counting(40));
  PrefixStore other(options_);
  EXPECT_TRUE(other.settle(soon()));
  EXPECT_FALSE(other.find({}, counting(40)));
  other.keep({}, counting(40, 500), state_of(counting(40, 500)));
  EXPECT_TRUE(other.settle(soon()));
  EXPECT_EQ(other.counts().writes_dropped, 1u);
  EXPECT_TRUE(other.find({}, counting(40, 500)));
  store_.reset();
  other.keep({}, counting(40, 900), state_of(counting(40, 900)));
  EXPECT_TRUE(other.settle(soon()));
  EXPECT_EQ(other.counts().disk_states, 2u);
  EXPECT_TRUE(other.find({}, counting(40)));
}

TEST_F(PrefixStoreTest, a_queue_that_is_full_drops_writes) {
  options_.queue_max = 0;
  open(true);
  keep(counting(40));
  EXPECT_EQ(store_->counts().writes_dropped, 1u);
  EXPECT_EQ(store_->counts().disk_states, 0u);
  EXPECT_EQ(found(counting(40)), 40u);
}

TEST_F(PrefixStoreTest, states_that_wait_to_be_written_have_a_budget) {
  LoadedState reached;
  LoadedState gate;
  options_.queue_bytes_max = 1500;
  options_.write = [&](int, const void*, std::size_t size) -> ssize_t {
    reached.set(not_found("a write has begun"));
    static_cast<void>(gate.get());
    return static_cast<ssize_t>(size);
  };
  open(true);
  store_->keep({}, counting(40), Bytes(3000));
  static_cast<void>(reached.get());
  store_->keep({}, counting(40, 100), Bytes(3000));
  EXPECT_EQ(store_->counts().writes_dropped, 0u) << "one alone may be longer";
  store_->keep({}, counting(40, 200), Bytes(1000));
  EXPECT_EQ(store_->counts().writes_dropped, 1u);
  gate.set(not_found("go on"));
  ASSERT_TRUE(store_->settle(soon()));
  EXPECT_EQ(store_->counts().disk_states, 2u);
}

TEST_F(PrefixStoreTest, tells_what_lies_in_memory_without_a_read) {
  open(true);
  keep(counting(40), 6000);
  const auto first = store_->find({}, counting(40));
  ASSERT_TRUE(first);
  const auto state = store_->state_in_memory(*first);
  ASSERT_TRUE(state);
  EXPECT_EQ(*state, state_of(counting(40), 6000));
  keep(counting(40, 100), 6000);
  EXPECT_FALSE(store_->state_in_memory(*first)) << "on the disk alone";
}

TEST_F(PrefixStoreTest, the_end_writes_what_waits) {
  open(true);
  for (Token i = 0; i < 8; ++i) store_->keep({}, counting(32, 100 * i), Bytes(10'000));
  open(true);
  EXPECT_EQ(store_->counts().disk_states, 8u);
}

TEST_F(PrefixStoreTest, a_state_that_has_given_way_is_not_found) {
  open(false);
  keep(counting(32), 6000);
  const auto there = store_->find({}, counting(32));
  ASSERT_TRUE(there);
  keep(counting(32, 500), 6000);
  LoadedState loaded;
  store_->load(*there, [&](Result<PrefixStore::State> result) { loaded.set(std::move(result)); });
  EXPECT_EQ(loaded.get().status().code(), Code::kNotFound);
}

}  // namespace
}  // namespace cortex::cache
