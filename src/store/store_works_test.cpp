// SPDX-License-Identifier: Apache-2.0
// What every database does alike with works: order, isolation, limits, deadlines, changes.
#include <pthread.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <numeric>
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "base/thread.h"
#include "store/change_trim.h"
#include "store/store.h"
#include "store/testing/latch.h"
#include "store/testing/store_calls.h"
#include "store/testing/temporary_store.h"

namespace cortex::store {
namespace {

constexpr std::array<std::string_view, 1> kSteps = {R"(
CREATE TABLE thing (id {id}, name {text} NOT NULL UNIQUE);
CREATE TABLE counter (id BIGINT PRIMARY KEY, value BIGINT NOT NULL);
INSERT INTO counter (id, value) VALUES (1, 0);
)"};
constexpr Schema kThings = {"things", kSteps};
constexpr const char* kInsert = "INSERT INTO thing (name) VALUES ($1)";
constexpr const char* kCount = "SELECT count(*) FROM thing";
// Runs until somebody ends it.
constexpr const char* kEndless =
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT 1 - i FROM n) SELECT count(*) FROM n";

Store::Work insert(std::string name) {
  return [name = std::move(name)](Transaction& transaction) {
    return transaction.execute(kInsert, {name}).status();
  };
}

Store::Work note(std::string key) {
  return [key = std::move(key)](Transaction& transaction) {
    return transaction.note_change("thing", key).status();
  };
}

// Counts the answers of many works.
class Answers {
 public:
  Store::Done next() {
    return [this](const Status& status) {
      MutexLock lock(mutex_);
      codes_.push_back(status.code());
      condition_.notify_all();
    };
  }
  std::vector<Code> wait_for(std::size_t count) {
    const TimePoint end = steady_clock().now() + std::chrono::minutes(1);
    MutexLock lock(mutex_);
    while (codes_.size() < count) {
      CHECK(condition_.wait_until(mutex_, end), "works are answered");
    }
    return codes_;
  }

 private:
  Mutex mutex_;
  Condition condition_;
  std::vector<Code> codes_ GUARDED_BY(mutex_);
};

class StoreWorks : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    if (!TemporaryStore::available(GetParam())) GTEST_SKIP() << "CORTEX_TEST_POSTGRESQL is unset";
    start({});
  }
  void start(const StoreOptions& options) {
    temporary_.reset();
    temporary_.emplace(GetParam(), std::vector<Schema>{kThings}, options);
  }
  Store& store() { return **temporary_; }
  std::int64_t things() { return read_integer(store(), kCount); }

  // Long enough to connect on a busy machine.
  static Duration short_deadline() {
    return std::chrono::milliseconds(GetParam() == "sqlite" ? 200 : 2000);
  }

  // Works that keep every writing thread busy until the latch opens.
  std::size_t occupy_writers(Latch& latch, Answers& answers, std::size_t threads) {
    const std::size_t count = GetParam() == "sqlite" ? 1 : threads;
    for (std::size_t i = 0; i < count; ++i) {
      Latch begun;
      store().write(
          [&latch, &begun](Transaction&) {
            begun.open();
            latch.wait();
            return Status();
          },
          answers.next(),
          Durability::kStrict
      );
      begun.wait();
    }
    return count;
  }

  std::optional<TemporaryStore> temporary_;
};
INSTANTIATE_TEST_SUITE_P(
    Stores,
    StoreWorks,
    testing::ValuesIn(TemporaryStore::kinds()),
    [](const auto& kind) { return kind.param; }
);

TEST_P(StoreWorks, run_and_are_answered_on_threads_of_the_store) {
  const auto name = [] {
    std::array<char, 16> buffer{};
    pthread_getname_np(pthread_self(), buffer.data(), buffer.size());
    return std::string(buffer.data());
  };
  std::string of_work;
  std::string of_done;
  Latch latch;
  store().write(
      [&](Transaction&) {
        of_work = name();
        return Status();
      },
      [&](const Status&) {
        of_done = name();
        latch.open();
      },
      Durability::kStrict
  );
  latch.wait();
  EXPECT_TRUE(of_work.starts_with("store-")) << of_work;
  EXPECT_EQ(of_work, of_done);
}

TEST_P(StoreWorks, a_write_is_seen_by_reads_that_begin_after_its_answer) {
  for (int i = 1; i <= 50; ++i) {
    const Durability durability = i % 2 == 0 ? Durability::kStrict : Durability::kRelaxed;
    ASSERT_TRUE(store().write_and_wait(insert("thing " + std::to_string(i)), durability).ok());
    ASSERT_EQ(things(), i);
  }
}

TEST_P(StoreWorks, a_read_sees_one_state_from_its_first_to_its_last_statement) {
  Latch first_read;
  Latch written;
  std::int64_t before = -1;
  std::int64_t after = -1;
  Answers answers;
  store().read(
      [&](Transaction& transaction) -> Status {
        CORTEX_ASSIGN_OR_RETURN(const Rows one, transaction.query(kCount));
        first_read.open();
        written.wait();
        CORTEX_ASSIGN_OR_RETURN(const Rows two, transaction.query(kCount));
        before = one.integer(0, 0);
        after = two.integer(0, 0);
        return {};
      },
      answers.next()
  );
  first_read.wait();
  EXPECT_TRUE(store().write_and_wait(insert("a")).ok());
  written.open();
  EXPECT_EQ(answers.wait_for(1).front(), Code::kOk);
  EXPECT_EQ(before, 0);
  EXPECT_EQ(after, 0);
  EXPECT_EQ(things(), 1);
}

TEST_P(StoreWorks, reading_and_writing_back_loses_nothing_under_contention) {
  Answers answers;
  constexpr std::size_t works = 120;
  for (std::size_t i = 0; i < works; ++i) {
    store().write(
        [](Transaction& transaction) -> Status {
          CORTEX_ASSIGN_OR_RETURN(const Rows rows, transaction.query("SELECT value FROM counter"));
          return transaction.execute("UPDATE counter SET value = $1", {rows.integer(0, 0) + 1})
              .status();
        },
        answers.next(),
        Durability::kRelaxed
    );
  }
  std::int64_t succeeded = 0;
  for (const Code code : answers.wait_for(works)) succeeded += code == Code::kOk ? 1 : 0;
  EXPECT_EQ(succeeded, works);
  EXPECT_EQ(read_integer(store(), "SELECT value FROM counter"), works);
}

TEST_P(StoreWorks, two_stores_on_one_database_lose_nothing) {
  const std::array<Schema, 1> schemas = {kThings};
  const auto another = temporary_->open_another(schemas);
  ASSERT_TRUE(another.ok());
  constexpr int rounds = 40;
  const auto count_up = [](Store& store) {
    for (int i = 0; i < rounds; ++i) {
      const Status status = store.write_and_wait([](Transaction& transaction) -> Status {
        CORTEX_ASSIGN_OR_RETURN(const Rows rows, transaction.query("SELECT value FROM counter"));
        return transaction.execute("UPDATE counter SET value = $1", {rows.integer(0, 0) + 1})
            .status();
      });
      EXPECT_TRUE(status.ok()) << status.to_string();
    }
  };
  {
    const Thread one("one", [&] { count_up(store()); });
    const Thread two("two", [&] { count_up(**another); });
  }
  EXPECT_EQ(read_integer(store(), "SELECT value FROM counter"), 2 * rounds);
}

TEST_P(StoreWorks, one_that_fails_takes_none_of_its_neighbours_with_it) {
  Latch latch;
  Answers answers;
  const std::size_t blocked = occupy_writers(latch, answers, StoreOptions().readers);
  for (int i = 0; i < 30; ++i) {
    store().write(
        [i](Transaction& transaction) -> Status {
          CORTEX_RETURN_IF_ERROR(
              transaction.execute(kInsert, {"first half " + std::to_string(i)}).status()
          );
          return transaction.execute(kInsert, {"thing " + std::to_string(i % 20)}).status();
        },
        answers.next(),
        Durability::kStrict
    );
  }
  latch.open();
  const std::vector<Code> codes = answers.wait_for(blocked + 30);
  EXPECT_EQ(std::count(codes.begin(), codes.end(), Code::kAlreadyExists), 10);
  EXPECT_EQ(std::count(codes.begin(), codes.end(), Code::kOk), 20 + std::ptrdiff_t(blocked));
  EXPECT_EQ(things(), 40) << "nothing of those that failed";
}

TEST_P(StoreWorks, a_full_queue_refuses_and_names_its_limit) {
  StoreOptions options;
  options.queue_limit = 3;
  start(options);
  Latch latch;
  Answers answers;
  const std::size_t blocked = occupy_writers(latch, answers, options.readers);
  for (int i = 0; i < 3; ++i) {
    store().write(insert(std::to_string(i)), answers.next(), Durability::kStrict);
  }
  const Status refused = store().write_and_wait(insert("one too many"));
  EXPECT_EQ(refused.code(), Code::kResourceExhausted);
  EXPECT_TRUE(refused.retry_after().has_value());
  EXPECT_NE(refused.text().find("3 writes"), std::string::npos) << refused.text();
  EXPECT_EQ(store().health().waiting, 3u);
  EXPECT_EQ(store().health().refusals, 1u);
  latch.open();
  for (const Code code : answers.wait_for(blocked + 3)) EXPECT_EQ(code, Code::kOk);
  EXPECT_EQ(things(), 3);
}

TEST_P(StoreWorks, a_read_goes_on_while_all_writers_are_held_up) {
  Latch latch;
  Answers answers;
  const std::size_t blocked = occupy_writers(latch, answers, StoreOptions().readers);
  EXPECT_EQ(things(), 0);
  latch.open();
  answers.wait_for(blocked);
}

TEST_P(StoreWorks, one_that_waits_past_its_deadline_is_answered_while_the_database_hangs) {
  StoreOptions options;
  options.deadline = short_deadline();
  start(options);
  Latch latch;
  Answers held_up;
  const std::size_t blocked = occupy_writers(latch, held_up, options.readers);
  EXPECT_EQ(store().write_and_wait(insert("late")).code(), Code::kDeadlineExceeded);
  latch.open();
  held_up.wait_for(blocked);
  EXPECT_EQ(things(), 0);
}

TEST_P(StoreWorks, a_statement_ends_at_the_deadline) {
  StoreOptions options;
  options.deadline = short_deadline();
  start(options);
  const auto endless = [](Transaction& transaction) {
    return transaction.query(kEndless).status();
  };
  EXPECT_EQ(store().read_and_wait(endless).code(), Code::kDeadlineExceeded);
  EXPECT_EQ(store().write_and_wait(endless).code(), Code::kDeadlineExceeded);
  EXPECT_TRUE(store().write_and_wait(insert("after")).ok());
  EXPECT_EQ(things(), 1);
  EXPECT_EQ(store().health().failures, 2u);
}

TEST_P(StoreWorks, a_refusal_of_the_works_own_says_nothing_about_the_database) {
  for (const Code code : {Code::kUnavailable, Code::kDataLoss, Code::kResourceExhausted}) {
    const auto refuse = [code](Transaction&) { return Status(code, "not today"); };
    EXPECT_EQ(store().write_and_wait(refuse).code(), code);
    EXPECT_EQ(store().read_and_wait(refuse).code(), code);
  }
  EXPECT_TRUE(store().health().available) << store().health().reason;
  EXPECT_EQ(store().health().failures, 0u);
}

TEST_P(StoreWorks, what_was_accepted_is_done_before_the_store_is_gone) {
  constexpr int works = 60;
  std::atomic<int> answered = 0;
  Latch latch;
  Answers held_up;
  occupy_writers(latch, held_up, StoreOptions().readers);
  for (int i = 0; i < works; ++i) {
    store().write(
        insert(std::to_string(i)),
        [&answered](const Status& status) { answered += status.ok() ? 1 : 0; },
        Durability::kRelaxed
    );
  }
  latch.open();
  temporary_->reopen();
  EXPECT_EQ(answered, works);
  EXPECT_EQ(things(), works);
}

TEST_P(StoreWorks, an_answer_may_hand_in_the_next_work) {
  Latch latch;
  Status second;
  store().write(
      insert("first"),
      [&](const Status&) {
        store().write(
            insert("second"),
            [&](Status status) {
              second = std::move(status);
              latch.open();
            },
            Durability::kStrict
        );
      },
      Durability::kStrict
  );
  latch.wait();
  EXPECT_TRUE(second.ok());
  EXPECT_EQ(things(), 2);
}

TEST_P(StoreWorks, counts_what_was_committed) {
  const StoreHealth before = store().health();
  for (int i = 0; i < 5; ++i) {
    ASSERT_TRUE(store().write_and_wait(insert(std::to_string(i))).ok());
  }
  EXPECT_EQ(store().write_and_wait(insert("1")).code(), Code::kAlreadyExists);
  const StoreHealth after = store().health();
  EXPECT_EQ(after.works - before.works, 5u);
  EXPECT_GE(after.commits, before.commits + 1);
  EXPECT_LE(after.commits, before.commits + 6);
  EXPECT_EQ(after.failures, before.failures);
  EXPECT_TRUE(after.available);
  EXPECT_EQ(after.waiting, 0u);
}

TEST_P(StoreWorks, changes_are_numbered_in_order_and_found_again) {
  EXPECT_EQ(store().revision(), 0);
  for (const char* key : {"a", "b", "c"}) {
    ASSERT_TRUE(store().write_and_wait(note(key)).ok());
  }
  EXPECT_EQ(store().revision(), 3);
  std::vector<Change> changes;
  ASSERT_TRUE(store()
                  .read_and_wait([&changes](Transaction& transaction) -> Status {
                    CORTEX_ASSIGN_OR_RETURN(changes, changes_after(transaction, 1, 1));
                    return {};
                  })
                  .ok());
  ASSERT_EQ(changes.size(), 1u);
  EXPECT_EQ(changes[0].revision, 2);
  EXPECT_EQ(changes[0].kind, "thing");
  EXPECT_EQ(changes[0].key, "b");
  temporary_->reopen();
  EXPECT_EQ(store().revision(), 3);
}

TEST_P(StoreWorks, old_changes_are_trimmed_and_whoever_missed_them_is_told) {
  for (const char* key : {"a", "b", "c", "d", "e"}) {
    ASSERT_TRUE(store().write_and_wait(note(key)).ok());
  }
  const auto trimmed_after = [this](std::int64_t revision) {
    bool out = false;
    EXPECT_TRUE(store()
                    .read_and_wait([&](Transaction& transaction) -> Status {
                      CORTEX_ASSIGN_OR_RETURN(out, changes_were_trimmed(transaction, revision));
                      return {};
                    })
                    .ok());
    return out;
  };
  EXPECT_FALSE(trimmed_after(0));
  std::int64_t gone = 0;
  ASSERT_TRUE(store()
                  .write_and_wait([&](Transaction& transaction) -> Status {
                    CORTEX_ASSIGN_OR_RETURN(gone, trim_changes(transaction, 2));
                    return {};
                  })
                  .ok());
  EXPECT_EQ(gone, 3);
  EXPECT_TRUE(trimmed_after(0));
  EXPECT_TRUE(trimmed_after(2));
  EXPECT_FALSE(trimmed_after(3));
  EXPECT_FALSE(trimmed_after(5));
  temporary_->reopen();
  EXPECT_EQ(store().revision(), 5);
  ASSERT_TRUE(store().write_and_wait(note("f")).ok());
  EXPECT_EQ(store().revision(), 6);
}

TEST_P(StoreWorks, a_change_that_was_undone_never_was) {
  const Status status = store().write_and_wait([](Transaction& transaction) -> Status {
    EXPECT_TRUE(transaction.note_change("thing", "a").ok());
    return cancelled("no");
  });
  EXPECT_EQ(status.code(), Code::kCancelled);
  EXPECT_EQ(store().revision(), 0);
  ASSERT_TRUE(store().write_and_wait(note("b")).ok());
  EXPECT_EQ(store().revision(), 1);
}

TEST_P(StoreWorks, a_follower_hears_of_changes_in_order_and_before_the_answer) {
  std::vector<std::int64_t> heard;
  store().on_change([&heard](std::int64_t revision) { heard.push_back(revision); });
  Answers answers;
  constexpr std::size_t works = 40;
  for (std::size_t i = 0; i < works; ++i) {
    store().write(note(std::to_string(i)), answers.next(), Durability::kRelaxed);
  }
  for (const Code code : answers.wait_for(works)) EXPECT_EQ(code, Code::kOk);
  store().on_change(nullptr);  // from here on nobody touches `heard`
  ASSERT_FALSE(heard.empty());
  EXPECT_TRUE(std::is_sorted(heard.begin(), heard.end()));
  EXPECT_EQ(heard.back(), static_cast<std::int64_t>(works));
  EXPECT_EQ(store().revision(), static_cast<std::int64_t>(works));
  const std::string gaps = "SELECT count(*) FROM store_change WHERE revision BETWEEN 1 AND 40";
  EXPECT_EQ(read_integer(store(), gaps), static_cast<std::int64_t>(works));
}

void wait_at(const char* thread, Store& store) {
  const Thread waiting(thread, [&store] { EXPECT_TRUE(read_sql(store, "SELECT 1").ok()); });
}

TEST_P(StoreWorks, threads_that_must_not_wait_are_caught) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(wait_at("io-3", store()), "an io thread waits");
  EXPECT_DEATH(wait_at("lane-minilm-0", store()), "a lane thread waits");
  wait_at("cpu-0", store());
}

}  // namespace
}  // namespace cortex::store
