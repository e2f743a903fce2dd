// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "base/thread.h"
#include "store/detail/sqlite_connection.h"
#include "store/store.h"
#include "store/testing/latch.h"
#include "store/testing/store_calls.h"
#include "store/testing/temporary_store.h"

namespace cortex::store {
namespace {

constexpr std::array<std::string_view, 1> kSteps = {
    "CREATE TABLE thing (id {id}, name {text} NOT NULL UNIQUE)"
};
constexpr Schema kThings = {"things", kSteps};
constexpr const char* kInsert = "INSERT INTO thing (name) VALUES ($1)";
constexpr const char* kCount = "SELECT count(*) FROM thing";

class SqliteStore : public testing::Test {
 protected:
  Store& store() { return *temporary_; }
  std::filesystem::path file(const char* name) { return temporary_.folder() / name; }
  static Result<std::unique_ptr<Store>> open(
      const std::filesystem::path& path, Duration deadline = std::chrono::seconds(30)
  ) {
    StoreOptions options;
    options.address = path.string();
    options.deadline = deadline;
    return open_store(options, std::array{kThings});
  }
  static std::unique_ptr<SqliteConnection> connect(const std::filesystem::path& path) {
    auto connection = SqliteConnection::open(
        path.string(), SqliteConnection::Access::kWriting, std::chrono::seconds(1)
    );
    CHECK(connection.ok(), "a file can be opened");
    return std::move(connection).value();
  }

  TemporaryStore temporary_{"sqlite", {kThings}};
};

TEST_F(SqliteStore, writes_ahead_and_checks_foreign_keys) {
  const Result<Rows> journal = read_sql(store(), "PRAGMA journal_mode");
  ASSERT_TRUE(journal.ok());
  EXPECT_EQ(journal->text(0, 0), "wal");
  EXPECT_EQ(read_integer(store(), "PRAGMA foreign_keys"), 1);
}

// The writer is held up while works gather: they become one group, made durable by one commit.
TEST_F(SqliteStore, works_that_wait_are_committed_together) {
  constexpr int works = 40;
  Latch held;
  Latch begun;
  Latch all;
  std::atomic<int> answered = 0;
  store().write(
      [&](Transaction&) {
        begun.open();
        held.wait();
        return Status();
      },
      [](const Status&) {},
      Durability::kStrict
  );
  begun.wait();
  for (int i = 0; i < works; ++i) {
    store().write(
        [i](Transaction& transaction) {
          return transaction.execute(kInsert, {std::to_string(i)}).status();
        },
        [&](const Status& status) {
          EXPECT_TRUE(status.ok());
          if (++answered == works) all.open();
        },
        Durability::kStrict
    );
  }
  held.open();
  all.wait();
  EXPECT_EQ(store().health().works, works + 1u);
  EXPECT_EQ(store().health().commits, 2u);
}

// SQLite ends the whole transaction of a statement that is interrupted.
TEST_F(SqliteStore, a_work_that_breaks_its_group_is_the_only_one_that_fails) {
  std::array<Code, 3> codes{};
  Latch begun;
  Latch held;
  Latch all;
  std::atomic<int> answered = 0;
  const auto answer = [&](std::size_t which) {
    return [&, which](const Status& status) {
      codes.at(which) = status.code();
      if (++answered == 3) all.open();
    };
  };
  const auto insert = [](const char* name) {
    return
        [name](Transaction& transaction) { return transaction.execute(kInsert, {name}).status(); };
  };
  store().write(
      [&](Transaction&) {
        begun.open();
        held.wait();
        return Status();
      },
      [](const Status&) {},
      Durability::kStrict
  );
  begun.wait();
  store().write(insert("before"), answer(0), Durability::kStrict);
  int runs = 0;
  store().write(
      [&runs](Transaction& transaction) -> Status {
        ++runs;
        CORTEX_ASSIGN_OR_RETURN(
            [[maybe_unused]] const std::int64_t rows,
            transaction.execute("INSERT OR ROLLBACK INTO thing (name) VALUES ('twice')")
        );
        return transaction.execute("INSERT OR ROLLBACK INTO thing (name) VALUES ('twice')")
            .status();
      },
      answer(1),
      Durability::kStrict
  );
  store().write(insert("after"), answer(2), Durability::kStrict);
  held.open();
  all.wait();
  EXPECT_EQ(codes, (std::array{Code::kOk, Code::kAlreadyExists, Code::kOk}));
  EXPECT_EQ(runs, 2);
  EXPECT_EQ(read_integer(store(), kCount), 2);
}

TEST_F(SqliteStore, refuses_the_database_of_another_program) {
  const auto path = file("other.db");
  ASSERT_TRUE(
      connect(path)->run_script("CREATE TABLE precious (a); INSERT INTO precious VALUES (1)").ok()
  );
  const auto opened = open(path);
  ASSERT_FALSE(opened.ok());
  EXPECT_EQ(opened.status().code(), Code::kFailedPrecondition);
  const auto has_ours = connect(path)->has_table("store_schema");
  EXPECT_TRUE(has_ours.ok() && !*has_ours);
}

TEST_F(SqliteStore, refuses_a_file_that_is_no_database) {
  std::ofstream(file("text.db")) << std::string(8192, 'x');
  EXPECT_EQ(open(file("text.db")).status().code(), Code::kDataLoss);
}

TEST_F(SqliteStore, says_which_file_cannot_be_opened) {
  const auto opened = open(file("no/such/folder.db"));
  EXPECT_EQ(opened.status().code(), Code::kUnavailable);
  EXPECT_NE(opened.status().text().find("no/such/folder.db"), std::string::npos);
}

TEST_F(SqliteStore, another_process_that_holds_the_file_delays_and_then_refuses) {
  const auto opened = open(temporary_.address(), std::chrono::seconds(1));
  ASSERT_TRUE(opened.ok());
  const auto other = connect(temporary_.address());
  ASSERT_TRUE(other->run_script("BEGIN IMMEDIATE").ok());
  EXPECT_EQ(write_sql(**opened, kInsert, {"a"}).code(), Code::kUnavailable);
  EXPECT_FALSE((*opened)->health().available);
  EXPECT_GT((*opened)->health().lost_since, 0);
  EXPECT_EQ(read_integer(**opened, kCount), 0);
  EXPECT_FALSE((*opened)->health().available);
  ASSERT_TRUE(other->run_script("ROLLBACK").ok());
  EXPECT_TRUE(write_sql(**opened, kInsert, {"a"}).ok());
  EXPECT_TRUE((*opened)->health().available);
  EXPECT_EQ((*opened)->health().lost_since, 0);
}

TEST_F(SqliteStore, a_backup_is_one_moment_while_works_go_on) {
  std::atomic<bool> stop = false;
  std::atomic<int> written = 0;
  const Thread writer("writer", [&] {
    for (int i = 0; !stop; ++i) {
      // Always two at a time: a copy with an odd number would be torn.
      const std::vector<Value> names = {"a" + std::to_string(i), "b" + std::to_string(i)};
      EXPECT_TRUE(store()
                      .write_and_wait(
                          [&](Transaction& transaction) {
                            return transaction.execute_many(kInsert, 1, names).status();
                          },
                          Durability::kRelaxed
                      )
                      .ok());
      written += 2;
    }
  });
  while (written < 20) ASSERT_TRUE(read_sql(store(), kCount).ok());
  const int before = written;
  const Status status = store().backup(file("copy.db"));
  stop = true;
  EXPECT_TRUE(status.ok()) << status.to_string();
  const auto copy = open(file("copy.db"));
  ASSERT_TRUE(copy.ok()) << copy.status().to_string();
  EXPECT_GE(read_integer(**copy, kCount), before);
  EXPECT_EQ(read_integer(**copy, kCount) % 2, 0);
  EXPECT_TRUE((*copy)->check_integrity().ok());
}

TEST_F(SqliteStore, a_backup_never_replaces_a_file) {
  std::ofstream(file("precious.db")) << "precious";
  EXPECT_EQ(store().backup(file("precious.db")).code(), Code::kAlreadyExists);
  EXPECT_EQ(std::filesystem::file_size(file("precious.db")), 8u);
  EXPECT_FALSE(store().backup(file("no/folder/copy.db")).ok());
}

TEST_F(SqliteStore, damage_is_found_and_named) {
  std::vector<Value> names;
  for (int i = 0; i < 5000; ++i)
    names.emplace_back("a rather long name of a thing " + std::to_string(i));
  ASSERT_TRUE(store()
                  .write_and_wait([&](Transaction& transaction) {
                    return transaction.execute_many(kInsert, 1, names).status();
                  })
                  .ok());
  const auto copy = file("damaged.db");
  ASSERT_TRUE(store().backup(copy).ok());
  {
    std::fstream damaged(copy, std::ios::in | std::ios::out | std::ios::binary);
    damaged.seekp(static_cast<std::streamoff>(std::filesystem::file_size(copy) / 2));
    damaged << std::string(9000, '\x55');
  }
  const auto opened = open(copy);
  ASSERT_TRUE(opened.ok()) << opened.status().to_string();
  EXPECT_EQ((*opened)->check_integrity().code(), Code::kDataLoss);
  EXPECT_TRUE(store().check_integrity().ok());
}

}  // namespace
}  // namespace cortex::store
