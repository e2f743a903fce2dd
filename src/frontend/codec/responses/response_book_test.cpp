// SPDX-License-Identifier: Apache-2.0
#include "frontend/codec/responses/response_book.h"

#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "frontend/codec/responses/memory_book.h"
#include "frontend/codec/responses/response_table.h"
#include "frontend/codec/responses/stored_book.h"
#include "store/testing/latch.h"
#include "store/testing/temporary_store.h"

namespace cortex::frontend::responses {
namespace {

using Turns = std::vector<std::string>;

const ResponseOwner kAnna{"default", "default", "anna"};
const ResponseOwner kBob{"default", "default", "bob"};

// Both books: "memory", "sqlite" and, where there is one, "postgresql".
class Books : public ::testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    const bool stored = GetParam() != "memory";
    if (stored && !store::TemporaryStore::available(GetParam())) {
      GTEST_SKIP() << "CORTEX_TEST_POSTGRESQL";
    }
    if (stored) store_.emplace(GetParam(), std::vector<store::Schema>{response_schema()});
    open(1 << 20);
  }

  void open(std::uint64_t bytes) {
    ResponseBookOptions options;
    options.bytes_max = bytes;
    options.now = [this] { return now_; };
    if (store_) {
      book_ = std::make_unique<StoredBook>(**store_, options);
    } else {
      book_ = std::make_unique<MemoryBook>(options);
    }
  }

  KeptResponse response(
      const std::string& id, const std::string& previous = "", ResponseOwner owner = kAnna
  ) {
    KeptResponse out;
    out.id = id;
    out.previous = previous;
    out.owner = std::move(owner);
    out.created_at = now_;
    out.expires_at = now_ + 100;
    out.body = "{" + id + "}";
    out.input = "in " + id;
    out.output = "out " + id;
    return out;
  }
  bool keep(const std::string& id, const std::string& previous = "", ResponseOwner owner = kAnna) {
    return book_->keep(response(id, previous, std::move(owner)));
  }

  // What was kept and removed stands in the table; a trim may still run.
  void settle() const {
    if (!store_) return;
    do {
      const Status done = (*store_)->write_and_wait([](store::Transaction&) { return Status(); });
      ASSERT_TRUE(done.ok()) << done.text();
    } while (static_cast<StoredBook&>(*book_).unwritten() > 0);
  }

  Result<KeptResponse> find(const ResponseOwner& owner, const std::string& id) {
    const auto out = std::make_shared<std::promise<Result<KeptResponse>>>();
    book_->find(owner, id, [out](Result<KeptResponse> found) { out->set_value(std::move(found)); });
    return out->get_future().get();
  }
  Result<Turns> conversation(const ResponseOwner& owner, const std::string& id) {
    const auto out = std::make_shared<std::promise<Result<Turns>>>();
    book_->conversation(owner, id, [out](Result<Turns> found) {
      out->set_value(std::move(found));
    });
    return out->get_future().get();
  }
  Status remove(const ResponseOwner& owner, const std::string& id) {
    const auto out = std::make_shared<std::promise<Status>>();
    book_->remove(owner, id, [out](Status status) { out->set_value(std::move(status)); });
    return out->get_future().get();
  }

  std::int64_t now_ = 1000;
  std::optional<store::TemporaryStore> store_;
  std::unique_ptr<ResponseBook> book_;
};

TEST_P(Books, what_is_kept_is_found_at_once_and_by_its_owner_alone) {
  ASSERT_TRUE(keep("a"));
  for (int turn = 0; turn < 2; ++turn) {
    const auto found = find(kAnna, "a");
    ASSERT_TRUE(found.ok()) << found.status().text();
    EXPECT_EQ(found->body, "{a}");
    EXPECT_EQ(found->input, "in a");
    for (const ResponseOwner& other :
         {kBob, ResponseOwner{"team", "default", "anna"}, ResponseOwner{"default", "x", "anna"}}) {
      EXPECT_EQ(find(other, "a").status().code(), Code::kNotFound);
      EXPECT_EQ(conversation(other, "a").status().code(), Code::kNotFound);
      EXPECT_EQ(remove(other, "a").code(), Code::kNotFound);
    }
    EXPECT_EQ(find(kAnna, "b").status().code(), Code::kNotFound);
    settle();
  }
}

TEST_P(Books, a_conversation_is_all_turns_from_its_first_to_the_one_asked_for) {
  ASSERT_TRUE(keep("a"));
  ASSERT_TRUE(keep("b", "a"));
  ASSERT_TRUE(keep("c", "b"));
  ASSERT_TRUE(keep("side", "a"));
  for (int turn = 0; turn < 2; ++turn) {
    EXPECT_EQ(
        *conversation(kAnna, "c"), (Turns{"in a", "out a", "in b", "out b", "in c", "out c"})
    );
    EXPECT_EQ(*conversation(kAnna, "side"), (Turns{"in a", "out a", "in side", "out side"}));
    settle();
  }
}

TEST_P(Books, what_others_go_on_from_stays_until_they_go) {
  ASSERT_TRUE(keep("a"));
  ASSERT_TRUE(keep("b", "a"));
  settle();
  EXPECT_TRUE(remove(kAnna, "a").ok());
  EXPECT_EQ(remove(kAnna, "a").code(), Code::kNotFound);
  EXPECT_EQ(find(kAnna, "a").status().code(), Code::kNotFound);
  EXPECT_EQ(conversation(kAnna, "a").status().code(), Code::kNotFound);
  EXPECT_EQ(conversation(kAnna, "b")->size(), 4u);
  EXPECT_TRUE(remove(kAnna, "b").ok());
  EXPECT_EQ(conversation(kAnna, "b").status().code(), Code::kNotFound);
  settle();
  if (!store_) {
    EXPECT_EQ(static_cast<MemoryBook&>(*book_).bytes(), 0u);
  } else {
    ASSERT_TRUE((*store_)
                    ->read_and_wait([](store::Transaction& transaction) -> Status {
                      CORTEX_ASSIGN_OR_RETURN(
                          const auto rows, transaction.query("SELECT id FROM response")
                      );
                      EXPECT_TRUE(rows.empty());
                      return {};
                    })
                    .ok());
  }
}

TEST_P(Books, what_goes_before_it_is_written_takes_nobody_along) {
  for (int turn = 0; turn < 8; ++turn) {
    const std::string at = std::to_string(turn);
    ASSERT_TRUE(keep("a" + at));
    if (turn % 2 == 0) settle();
    ASSERT_TRUE(keep("b" + at, "a" + at));
    EXPECT_TRUE(remove(kAnna, "a" + at).ok());
    EXPECT_EQ(find(kAnna, "a" + at).status().code(), Code::kNotFound);
    EXPECT_TRUE(find(kAnna, "b" + at).ok());
    settle();
    EXPECT_EQ(find(kAnna, "a" + at).status().code(), Code::kNotFound);
    const auto turns = conversation(kAnna, "b" + at);
    ASSERT_TRUE(turns.ok()) << turns.status().text();
    EXPECT_EQ(turns->size(), 4u);
  }
  EXPECT_EQ(book_->counts().lost, 0u);
}

TEST_P(Books, what_is_too_old_is_not_found_but_others_may_stand_on_it) {
  ASSERT_TRUE(keep("a"));
  now_ += 60;
  ASSERT_TRUE(keep("b", "a"));
  now_ += 60;
  EXPECT_EQ(find(kAnna, "a").status().code(), Code::kNotFound);
  EXPECT_EQ(conversation(kAnna, "b")->size(), 4u);
  now_ += 60;
  EXPECT_EQ(conversation(kAnna, "b").status().code(), Code::kNotFound);
  settle();
  if (store_) {
    static_cast<StoredBook&>(*book_).trim();
    while (book_->counts().expired < 2) settle();
  } else {
    ASSERT_TRUE(keep("c"));
  }
  EXPECT_EQ(book_->counts().expired, 2u);
}

TEST_P(Books, over_the_budget_goes_what_the_largest_owner_used_longest_ago) {
  const std::uint64_t one = response("a1").bytes();
  open(4 * one);
  ASSERT_TRUE(keep("b1", "", kBob));
  now_ += 1;
  ASSERT_TRUE(keep("a1"));
  now_ += 1;
  ASSERT_TRUE(keep("a2"));
  now_ += 1;
  ASSERT_TRUE(keep("a3", "a1"));
  now_ += 1;
  ASSERT_TRUE(keep("a4"));
  if (store_) {
    settle();
    static_cast<StoredBook&>(*book_).trim();
  }
  while (book_->counts().evicted < 1) settle();
  EXPECT_EQ(find(kAnna, "a2").status().code(), Code::kNotFound);
  EXPECT_TRUE(find(kBob, "b1").ok());
  EXPECT_EQ(conversation(kAnna, "a3")->size(), 4u);
  EXPECT_TRUE(find(kAnna, "a4").ok());
}

TEST_P(Books, a_database_keeps_them_over_a_restart) {
  if (!store_) GTEST_SKIP() << "a memory goes with its server";
  ASSERT_TRUE(keep("a"));
  ASSERT_TRUE(keep("b", "a"));
  settle();
  book_.reset();
  store_->reopen();
  open(1 << 20);
  EXPECT_EQ(conversation(kAnna, "b")->size(), 4u);
  EXPECT_EQ(find(kBob, "b").status().code(), Code::kNotFound);
}

TEST_P(Books, what_is_larger_than_the_bounds_is_refused) {
  open(2000);
  KeptResponse large = response("large");
  large.body.assign(3000, 'x');
  EXPECT_FALSE(book_->keep(large));
  open(64 << 20);
  large.body.assign(kKeptBytesMax, 'x');
  EXPECT_FALSE(book_->keep(large));
  EXPECT_EQ(book_->counts().refused, 1u);
  EXPECT_EQ(find(kAnna, "large").status().code(), Code::kNotFound);
}

std::vector<std::string> book_kinds() {
  std::vector<std::string> out = store::TemporaryStore::kinds();
  out.emplace_back("memory");
  return out;
}

INSTANTIATE_TEST_SUITE_P(All, Books, ::testing::ValuesIn(book_kinds()), [](const auto& kind) {
  return kind.param;
});

TEST(MemoryBook, does_not_go_on_from_what_is_gone) {
  ResponseBookOptions options;
  options.now = [] { return std::int64_t{1}; };
  MemoryBook book(options);
  KeptResponse response;
  response.id = "b";
  response.previous = "a";
  response.owner = kAnna;
  response.expires_at = 10;
  EXPECT_FALSE(book.keep(response));
}

TEST(StoredBook, what_waits_for_the_database_is_there_already_and_can_go_again) {
  store::TemporaryStore store("sqlite", {response_schema()});
  ResponseBookOptions options;
  options.now = [] { return std::int64_t{1}; };
  auto book = std::make_unique<StoredBook>(*store, options);
  store::Latch busy;
  store->write(
      [&](store::Transaction&) {
        busy.wait();
        return Status();
      },
      [](const Status&) {}
  );
  KeptResponse first;
  first.id = "a";
  first.owner = kAnna;
  first.expires_at = 10;
  first.output = "out";
  KeptResponse second = first;
  second.id = "b";
  second.previous = "a";
  ASSERT_TRUE(book->keep(first));
  ASSERT_TRUE(book->keep(second));
  bool read = false;
  book->conversation(kAnna, "b", [&](const Result<Turns>& turns) {
    read = turns.ok() && turns->size() == 4;
  });
  EXPECT_TRUE(read);
  Status removed = internal("not called");
  book->remove(kAnna, "b", [&](Status status) { removed = std::move(status); });
  EXPECT_TRUE(removed.ok());
  bool gone = false;
  book->find(kAnna, "b", [&](const Result<KeptResponse>& found) { gone = !found.ok(); });
  EXPECT_TRUE(gone);
  busy.open();
  while (book->counts().kept < 2) {
    ASSERT_TRUE(store->write_and_wait([](store::Transaction&) { return Status(); }).ok());
  }
  const auto later = std::make_shared<std::promise<bool>>();
  book->find(kAnna, "b", [later](const Result<KeptResponse>& found) {
    later->set_value(found.ok());
  });
  EXPECT_FALSE(later->get_future().get());
}

TEST(StoredBook, a_database_that_fails_loses_the_response_and_counts_it) {
  store::TemporaryStore store("sqlite");  // without the table
  ResponseBookOptions options;
  options.now = [] { return std::int64_t{1}; };
  StoredBook book(*store, options);
  KeptResponse response;
  response.id = "a";
  response.owner = kAnna;
  ASSERT_TRUE(book.keep(response));
  while (book.counts().lost == 0) {
    ASSERT_TRUE(store->read_and_wait([](store::Transaction&) { return Status(); }).ok());
  }
  EXPECT_EQ(book.counts().kept, 0u);
}

}  // namespace
}  // namespace cortex::frontend::responses
