// SPDX-License-Identifier: Apache-2.0
// SQLite on a disk that fails or loses power at every operation of a small workload.
#include <sqlite3.h>

#include <array>
#include <filesystem>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "base/mutex.h"
#include "store/store.h"
#include "store/testing/store_calls.h"
#include "store_disk.h"

namespace cortex::store {
namespace {

namespace fs = std::filesystem;

constexpr std::array<std::string_view, 1> kSteps = {R"(
CREATE TABLE left_half (number BIGINT PRIMARY KEY, filling {text} NOT NULL);
CREATE TABLE right_half (number BIGINT PRIMARY KEY);
)"};
constexpr Schema kHalves = {"halves", kSteps};

class Folder {
 public:
  Folder() {
    std::string name = (fs::temp_directory_path() / "cortex-disk-XXXXXX").string();
    CHECK(mkdtemp(name.data()) != nullptr, "a test needs a folder");
    path_ = name;
  }
  ~Folder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  [[nodiscard]] const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

Result<std::unique_ptr<Store>> open(const fs::path& folder) {
  StoreOptions options;
  options.address = (folder / "cortex.db").string();
  options.readers = 1;
  return open_store(options, std::array{kHalves});
}

// Work N writes N into both tables; half of it must never be seen.
Store::Work both_halves(int number) {
  return [number](Transaction& transaction) -> Status {
    CORTEX_RETURN_IF_ERROR(transaction
                               .execute(
                                   "INSERT INTO left_half (number, filling) VALUES ($1, $2)",
                                   {number, std::string(1500, 'x')}
                               )
                               .status());
    return transaction.execute("INSERT INTO right_half (number) VALUES ($1)", {number}).status();
  };
}

// What became of the works 0, 1, 2 …, as far as they were answered.
class Ledger {
 public:
  Store::Done next() {
    MutexLock lock(mutex_);
    const std::size_t number = answers_.size();
    answers_.emplace_back();
    return [this, number](Status status) {
      MutexLock inner(mutex_);
      answers_[number] = std::move(status);
      condition_.notify_all();
    };
  }
  void wait_for_all() {
    MutexLock lock(mutex_);
    for (std::size_t i = 0; i < answers_.size(); ++i) {
      while (!answers_[i]) condition_.wait_until(mutex_, kNoDeadline);
    }
  }
  std::vector<std::optional<Status>> answers() const {
    MutexLock lock(mutex_);
    return answers_;
  }

 private:
  mutable Mutex mutex_;
  Condition condition_;
  std::vector<std::optional<Status>> answers_ GUARDED_BY(mutex_);
};

// Bursts of one to four works, so that groups of several sizes are committed.
void run_workload(Store& store, Ledger& ledger, int works, bool relaxed) {
  int number = 0;
  for (int burst = 1; number < works; burst = burst % 4 + 1) {
    for (int i = 0; i < burst && number < works; ++i, ++number) {
      const bool strict = !relaxed || number % 5 == 4;
      store.write(
          both_halves(number), ledger.next(), strict ? Durability::kStrict : Durability::kRelaxed
      );
    }
    ledger.wait_for_all();
  }
}

std::vector<bool> present(Store& store, std::size_t works) {
  std::vector<bool> found(works, false);
  const Result<Rows> left = read_sql(store, "SELECT number FROM left_half ORDER BY number");
  const Result<Rows> right = read_sql(store, "SELECT number FROM right_half ORDER BY number");
  EXPECT_TRUE(left.ok() && right.ok()) << left.status().to_string();
  if (!left.ok() || !right.ok()) return found;
  EXPECT_EQ(left->size(), right->size()) << "half a work";
  for (std::size_t i = 0; i < left->size(); ++i) {
    EXPECT_EQ(left->integer(i, 0), right->integer(i, 0)) << "half a work";
    found.at(static_cast<std::size_t>(left->integer(i, 0))) = true;
  }
  return found;
}

struct Fault {
  int code;
  bool forever;
  const char* name;
};

class FailingDisk : public testing::TestWithParam<Fault> {};
INSTANTIATE_TEST_SUITE_P(
    Faults,
    FailingDisk,
    testing::Values(
        Fault{SQLITE_IOERR_WRITE, false, "error_once"},
        Fault{SQLITE_IOERR_FSYNC, true, "error_forever"},
        Fault{SQLITE_FULL, false, "full_once"},
        Fault{SQLITE_FULL, true, "full_forever"}
    ),
    [](const auto& fault) { return fault.param.name; }
);

constexpr int kWorks = 9;

// The operations of opening a new store, and of the workload on it, when nothing fails.
std::array<int, 2> count_operations() {
  const Folder folder;
  StoreDisk disk(folder.path());
  Ledger ledger;
  const auto store = open(folder.path());
  CHECK(store.ok(), "a new store can be made");
  const int opening = disk.operations();
  run_workload(**store, ledger, kWorks, false);
  return {opening, disk.operations() - opening};
}

void run_with_fault(const Fault& fault, int nth) {
  const Folder folder;
  StoreDisk disk(folder.path());
  Ledger ledger;
  {
    const auto store = open(folder.path());
    CHECK(store.ok(), "a new store can be made");
    disk.fail(nth, fault.code, fault.forever);
    run_workload(**store, ledger, kWorks, false);
    disk.work_again();
    EXPECT_TRUE((*store)->write_and_wait(both_halves(kWorks)).ok()) << "works again";
    EXPECT_TRUE((*store)->health().available);
    const std::vector<bool> seen = present(**store, kWorks + 1);
    for (std::size_t i = 0; i < kWorks; ++i) {
      EXPECT_EQ(seen[i], ledger.answers()[i]->ok())
          << "work " << i << " in the process that ran it";
    }
  }
  const auto again = open(folder.path());
  ASSERT_TRUE(again.ok()) << again.status().to_string();
  const std::vector<bool> seen = present(**again, kWorks + 1);
  EXPECT_TRUE(seen[kWorks]);
  for (std::size_t i = 0; i < kWorks; ++i) {
    EXPECT_EQ(seen[i], ledger.answers()[i]->ok()) << "work " << i << " after a restart";
  }
  EXPECT_TRUE((*again)->check_integrity().ok());
}

TEST_P(FailingDisk, what_was_answered_well_is_there_and_what_failed_is_not) {
  const int operations = count_operations()[1];
  ASSERT_GT(operations, 2 * kWorks);
  for (int nth = 1; nth <= operations && !HasFailure(); ++nth) {
    SCOPED_TRACE("operation " + std::to_string(nth));
    run_with_fault(GetParam(), nth);
  }
}

TEST_P(FailingDisk, opening_fails_cleanly_and_later_succeeds) {
  const int operations = count_operations()[0];
  ASSERT_GT(operations, 10);
  for (int nth = 1; nth <= operations && !HasFailure(); ++nth) {
    SCOPED_TRACE("operation " + std::to_string(nth));
    const Folder folder;
    StoreDisk disk(folder.path());
    disk.fail(nth, GetParam().code, GetParam().forever);
    const bool opened = open(folder.path()).ok();
    disk.work_again();
    const auto again = open(folder.path());
    ASSERT_TRUE(again.ok()) << (opened ? "opened: " : "not opened: ") << again.status().to_string();
    EXPECT_TRUE((*again)->write_and_wait(both_halves(0)).ok());
  }
}

// After a power cut the works are there in their order, without a gap, each whole, and at least
// those that were promised.
void check_after_power_cut(const fs::path& folder, std::size_t promised, std::size_t works) {
  const auto store = open(folder);
  ASSERT_TRUE(store.ok()) << store.status().to_string();
  const std::vector<bool> seen = present(**store, works);
  std::size_t count = 0;
  while (count < works && seen[count]) ++count;
  EXPECT_GE(count, promised) << "an answer was given for works that are gone";
  for (std::size_t i = count; i < works; ++i) EXPECT_FALSE(seen[i]) << "a gap before work " << i;
  EXPECT_TRUE((*store)->check_integrity().ok());
}

// The works up to the last strict one that was answered well are promised.
std::size_t promised_by(const Ledger& ledger, bool relaxed) {
  std::size_t promised = 0;
  const auto answers = ledger.answers();
  for (std::size_t i = 0; i < answers.size(); ++i) {
    const bool strict = !relaxed || i % 5 == 4;
    if (strict && answers[i] && answers[i]->ok()) promised = i + 1;
  }
  return promised;
}

struct PowerCut {
  double survival;  // of a write that was not synced
  bool relaxed;
  const char* name;
};

class LosesPower : public testing::TestWithParam<PowerCut> {};
INSTANTIATE_TEST_SUITE_P(
    Cuts,
    LosesPower,
    testing::Values(
        PowerCut{0.0, false, "all_unsynced_lost"},
        PowerCut{0.5, false, "half_of_unsynced_lost"},
        PowerCut{0.0, true, "relaxed_works_all_unsynced_lost"},
        PowerCut{0.5, true, "relaxed_works_half_of_unsynced_lost"}
    ),
    [](const auto& cut) { return cut.param.name; }
);

TEST_P(LosesPower, at_any_operation_and_keeps_what_it_promised) {
  constexpr int works = 24;
  const Folder folder;
  const Folder cuts;
  StoreDisk disk(folder.path());
  std::minstd_rand random(20);
  std::bernoulli_distribution survives(GetParam().survival);
  std::vector<std::size_t> promised;
  Ledger ledger;
  {
    const auto store = open(folder.path());
    ASSERT_TRUE(store.ok());
    disk.before_each([&] {  // the writer's thread, which also answers
      const fs::path to = cuts.path() / std::to_string(promised.size());
      fs::create_directory(to);
      disk.power_cut(to, [&] { return survives(random); });
      promised.push_back(promised_by(ledger, GetParam().relaxed));
    });
    run_workload(**store, ledger, works, GetParam().relaxed);
    disk.before_each(nullptr);
  }
  ASSERT_GT(promised.size(), 50u);
  EXPECT_GT(promised.back(), works / 2u);
  for (std::size_t i = 0; i < promised.size() && !HasFailure(); ++i) {
    SCOPED_TRACE("power cut before operation " + std::to_string(i));
    check_after_power_cut(cuts.path() / std::to_string(i), promised[i], works);
  }
}

}  // namespace
}  // namespace cortex::store
