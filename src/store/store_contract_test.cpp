// SPDX-License-Identifier: Apache-2.0
// What every database does alike: statements, values, errors, migrations. What concerns threads and
// time is in store_works_test.cpp.
#include <array>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "store/store.h"
#include "store/testing/store_calls.h"
#include "store/testing/temporary_store.h"

namespace cortex::store {
namespace {

constexpr std::array<std::string_view, 1> kSteps = {R"(
CREATE TABLE thing (id {id}, name {text} NOT NULL UNIQUE, size BIGINT, weight DOUBLE PRECISION);
CREATE TABLE part (
  thing BIGINT NOT NULL REFERENCES thing (id),
  name {text} NOT NULL CHECK (name <> ''),
  PRIMARY KEY (thing, name)
);
)"};
constexpr Schema kThings = {"things", kSteps};

class StoreContract : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    if (!TemporaryStore::available(GetParam())) GTEST_SKIP() << "CORTEX_TEST_POSTGRESQL is unset";
    temporary_.emplace(GetParam(), std::vector<Schema>{kThings});
  }

  Store& store() { return **temporary_; }
  Status write(const std::string& sql, const std::vector<Value>& parameters = {}) {
    return write_sql(store(), sql, parameters);
  }
  Code code_of(const std::string& sql, const std::vector<Value>& parameters = {}) {
    return write(sql, parameters).code();
  }
  Rows read(const std::string& sql, const std::vector<Value>& parameters = {}) {
    const Result<Rows> rows = read_sql(store(), sql, parameters);
    EXPECT_TRUE(rows.ok()) << rows.status().to_string();
    return rows.ok() ? *rows : Rows();
  }
  std::int64_t things() { return read_integer(store(), "SELECT count(*) FROM thing"); }

  std::optional<TemporaryStore> temporary_;
};
INSTANTIATE_TEST_SUITE_P(
    Stores,
    StoreContract,
    testing::ValuesIn(TemporaryStore::kinds()),
    [](const auto& kind) { return kind.param; }
);

constexpr const char* kInsert = "INSERT INTO thing (name, size, weight) VALUES ($1, $2, $3)";

TEST_P(StoreContract, reads_what_was_written) {
  EXPECT_TRUE(write(kInsert, {"a", 7, 1.5}).ok());
  const Rows rows = read("SELECT name, size, weight FROM thing");
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_EQ(rows.text(0, 0), "a");
  EXPECT_EQ(rows.integer(0, 1), 7);
  EXPECT_EQ(rows.real(0, 2), 1.5);
}

TEST_P(StoreContract, an_error_of_the_work_undoes_what_it_wrote) {
  const Status status = store().write_and_wait([](Transaction& transaction) -> Status {
    EXPECT_TRUE(transaction.execute(kInsert, {"a", 1, 1.0}).ok());
    return not_found("another thing");
  });
  EXPECT_EQ(status.code(), Code::kNotFound);
  EXPECT_EQ(status.text(), "another thing");
  EXPECT_EQ(things(), 0);
}

TEST_P(StoreContract, keeps_everything_over_a_restart) {
  ASSERT_TRUE(write(kInsert, {"a", 1, 1.0}).ok());
  temporary_->reopen();
  EXPECT_EQ(things(), 1);
}

TEST_P(StoreContract, gives_numbers_back_exactly) {
  constexpr auto least = std::numeric_limits<std::int64_t>::min();
  constexpr auto most = std::numeric_limits<std::int64_t>::max();
  constexpr double infinity = std::numeric_limits<double>::infinity();
  const std::vector<double> reals = {
      0.1, -0.0, 5e-324, 1.7976931348623157e308, infinity, -infinity
  };
  ASSERT_TRUE(write(kInsert, {"least", least, 0.0}).ok());
  ASSERT_TRUE(write(kInsert, {"most", most, 0.0}).ok());
  EXPECT_EQ(read("SELECT size FROM thing ORDER BY size").integer(0, 0), least);
  EXPECT_EQ(read("SELECT size FROM thing ORDER BY size").integer(1, 0), most);
  for (const double real : reals) {
    ASSERT_TRUE(write("UPDATE thing SET weight = $1", {real}).ok());
    EXPECT_EQ(read("SELECT weight FROM thing").real(0, 0), real);
  }
}

TEST_P(StoreContract, gives_text_back_exactly) {
  const std::vector<std::string> texts = {
      "",
      " ",
      "a'b\"c\\d%_$1",
      "\xF0\x9F\x90\x98 \xC3\xA9",
      "line\nline\t\x7F\x01",
      std::string(100'000, 'x')
  };
  ASSERT_TRUE(write("INSERT INTO thing (name) VALUES ('first')").ok());
  ASSERT_TRUE(write("CREATE TABLE long_text (value TEXT)").ok());
  for (const std::string& text : texts) {
    ASSERT_TRUE(write("INSERT INTO long_text (value) VALUES ($1)", {text}).ok());
    EXPECT_EQ(read("SELECT value FROM long_text").text(0, 0), text);
    ASSERT_TRUE(write("DELETE FROM long_text").ok());
  }
}

TEST_P(StoreContract, tells_null_from_empty) {
  ASSERT_TRUE(write(kInsert, {"", {}, {}}).ok());
  const Rows rows = read("SELECT name, size, weight FROM thing");
  EXPECT_FALSE(rows.is_null(0, 0));
  EXPECT_TRUE(rows.is_null(0, 1));
  EXPECT_TRUE(rows.is_null(0, 2));
  EXPECT_EQ(rows.integer(0, 1), 0);
  EXPECT_EQ(rows.real(0, 2), 0.0);
}

TEST_P(StoreContract, refuses_what_databases_disagree_about) {
  EXPECT_EQ(
      code_of(kInsert, {"nan", 1, std::numeric_limits<double>::quiet_NaN()}), Code::kInvalidArgument
  );
  EXPECT_EQ(code_of(kInsert, {std::string("a\0b", 3), 1, 1.0}), Code::kInvalidArgument);
  EXPECT_EQ(code_of(kInsert, {"\xFF", 1, 1.0}), Code::kInvalidArgument);
  EXPECT_EQ(code_of(kInsert, {"\xC0\x80", 1, 1.0}), Code::kInvalidArgument);
  EXPECT_EQ(code_of(kInsert, {"\xED\xA0\x80", 1, 1.0}), Code::kInvalidArgument);
  EXPECT_EQ(code_of(kInsert, {"cut \xE2\x82", 1, 1.0}), Code::kInvalidArgument);
  EXPECT_EQ(things(), 0);
}

TEST_P(StoreContract, orders_text_by_its_bytes) {
  for (const char* name : {"b", "B", "a", "Z", "_", "\xC3\xA9", "a b", "ab"}) {
    ASSERT_TRUE(write(kInsert, {name, {}, {}}).ok());
  }
  const Rows rows = read("SELECT name FROM thing ORDER BY name");
  std::string order;
  for (std::size_t i = 0; i < rows.size(); ++i) order += rows.text(i, 0) + "|";
  EXPECT_EQ(order, "B|Z|_|a|a b|ab|b|\xC3\xA9|");
}

TEST_P(StoreContract, like_tells_cases_apart_and_takes_an_escape) {
  for (const char* name : {"abc", "ABC", "a_c", "a%c"}) {
    ASSERT_TRUE(write(kInsert, {name, {}, {}}).ok());
  }
  const std::string sql = "SELECT count(*) FROM thing WHERE name LIKE $1 ESCAPE '\\'";
  EXPECT_EQ(read_integer(store(), sql, {"a%"}), 3);
  EXPECT_EQ(read_integer(store(), sql, {"a\\_c"}), 1);
  EXPECT_EQ(read_integer(store(), sql, {"a\\%c"}), 1);
}

TEST_P(StoreContract, names_what_a_constraint_refused) {
  ASSERT_TRUE(write(kInsert, {"a", 1, 1.0}).ok());
  EXPECT_EQ(code_of(kInsert, {"a", 2, 2.0}), Code::kAlreadyExists);
  EXPECT_EQ(code_of(kInsert, {{}, 2, 2.0}), Code::kFailedPrecondition);
  const char* part = "INSERT INTO part (thing, name) VALUES ($1, $2)";
  EXPECT_EQ(code_of(part, {999, "p"}), Code::kFailedPrecondition);
  EXPECT_EQ(code_of(part, {1, ""}), Code::kFailedPrecondition);
  EXPECT_TRUE(write(part, {1, "p"}).ok());
  EXPECT_EQ(code_of(part, {1, "p"}), Code::kAlreadyExists);
  EXPECT_EQ(code_of("DELETE FROM thing"), Code::kFailedPrecondition);
}

TEST_P(StoreContract, wrong_sql_is_internal_and_says_so_in_the_log_alone) {
  const Status status = write("SELEKT secret_word");
  EXPECT_EQ(status.code(), Code::kInternal);
  EXPECT_EQ(status.text().find("secret_word"), std::string::npos);
  EXPECT_NE(status.detail().find("secret_word"), std::string::npos);
  EXPECT_EQ(code_of("INSERT INTO nowhere (a) VALUES (1)"), Code::kInternal);
  EXPECT_EQ(code_of("SELECT 1; SELECT 2"), Code::kInternal);
  EXPECT_EQ(code_of("SELECT size FROM thing WHERE size = $1"), Code::kInternal);
  EXPECT_EQ(code_of("SELECT size FROM thing WHERE size = $1", {1, 2}), Code::kInternal);
  EXPECT_EQ(code_of("SELECT \"no such column\" FROM thing"), Code::kInternal);
}

TEST_P(StoreContract, a_reading_work_cannot_write) {
  const Status status = store().read_and_wait([](Transaction& transaction) {
    return transaction.execute(kInsert, {"a", 1, 1.0}).status();
  });
  EXPECT_EQ(status.code(), Code::kInternal);
  EXPECT_EQ(things(), 0);
  EXPECT_TRUE(write(kInsert, {"a", 1, 1.0}).ok());
}

TEST_P(StoreContract, after_an_error_the_transaction_is_lost) {
  ASSERT_TRUE(write(kInsert, {"a", 1, 1.0}).ok());
  const Status status = store().write_and_wait([](Transaction& transaction) -> Status {
    EXPECT_TRUE(transaction.execute(kInsert, {"b", 1, 1.0}).ok());
    EXPECT_EQ(transaction.execute(kInsert, {"a", 1, 1.0}).status().code(), Code::kAlreadyExists);
    EXPECT_EQ(transaction.execute(kInsert, {"c", 1, 1.0}).status().code(), Code::kAlreadyExists);
    EXPECT_EQ(transaction.query("SELECT 1").status().code(), Code::kAlreadyExists);
    return {};
  });
  EXPECT_EQ(status.code(), Code::kAlreadyExists);
  EXPECT_EQ(things(), 1);
}

TEST_P(StoreContract, a_work_may_say_in_its_own_words_what_a_constraint_refused) {
  ASSERT_TRUE(write(kInsert, {"a", 1, 1.0}).ok());
  const Status status = store().write_and_wait([](Transaction& transaction) -> Status {
    const Status refused = transaction.execute(kInsert, {"a", 1, 1.0}).status();
    return refused.code() == Code::kAlreadyExists ? already_exists("thing 'a' exists") : refused;
  });
  EXPECT_EQ(status.text(), "thing 'a' exists");
}

TEST_P(StoreContract, parameters_come_in_any_order_and_more_than_once) {
  const Rows rows = read(
      "SELECT $2 + 0, $1 + 0, $2 + 0, $11 + 0, $3 + $4 + $5 + $6 + $7 + $8 + $9 + $10",
      {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}
  );
  EXPECT_EQ(rows.integer(0, 0), 2);
  EXPECT_EQ(rows.integer(0, 1), 1);
  EXPECT_EQ(rows.integer(0, 2), 2);
  EXPECT_EQ(rows.integer(0, 3), 11);
  EXPECT_EQ(rows.integer(0, 4), 52);
}

TEST_P(StoreContract, the_same_statement_takes_other_kinds_of_values) {
  ASSERT_TRUE(write(kInsert, {"a", 1, 2.5}).ok());
  ASSERT_TRUE(write(kInsert, {"b", {}, 2}).ok());
  ASSERT_TRUE(write(kInsert, {"c", 3, {}}).ok());
  const std::string sql = "SELECT count(*) FROM thing WHERE weight >= $1";
  EXPECT_EQ(read_integer(store(), sql, {2}), 2);
  EXPECT_EQ(read_integer(store(), sql, {2.25}), 1);
  EXPECT_EQ(read_integer(store(), sql, {{}}), 0);
}

TEST_P(StoreContract, counts_the_rows_that_a_statement_changed) {
  std::vector<std::int64_t> counts;
  ASSERT_TRUE(store()
                  .write_and_wait([&counts](Transaction& transaction) -> Status {
                    counts.clear();
                    for (const char* sql :
                         {"INSERT INTO thing (name) VALUES ('a'), ('b'), ('c')",
                          "UPDATE thing SET size = 1 WHERE name <> 'a'",
                          "UPDATE thing SET size = 1 WHERE name = 'z'",
                          "SELECT name FROM thing",
                          "CREATE TABLE other (a BIGINT)",
                          "DELETE FROM thing WHERE name = 'a' RETURNING name"}) {
                      CORTEX_ASSIGN_OR_RETURN(const std::int64_t count, transaction.execute(sql));
                      counts.push_back(count);
                    }
                    return {};
                  })
                  .ok());
  counts.at(3) = 0;  // reading counts differently
  EXPECT_EQ(counts, (std::vector<std::int64_t>{3, 2, 0, 0, 0, 1}));
}

TEST_P(StoreContract, runs_one_statement_with_many_parameters) {
  std::vector<Value> parameters;
  for (int i = 0; i < 2500; ++i) {
    parameters.emplace_back("thing " + std::to_string(i));
    // No conditional expressions: g++ 12 takes the one that is not made for one that is read.
    if (i % 3 == 0) parameters.emplace_back();
    if (i % 3 != 0) parameters.emplace_back(i);
    if (i % 2 == 0) parameters.emplace_back(i);
    if (i % 2 != 0) parameters.emplace_back(i + 0.5);
  }
  std::int64_t rows = 0;
  ASSERT_TRUE(store()
                  .write_and_wait([&](Transaction& transaction) -> Status {
                    CORTEX_ASSIGN_OR_RETURN(rows, transaction.execute_many(kInsert, 3, parameters));
                    return {};
                  })
                  .ok());
  EXPECT_EQ(rows, 2500);
  EXPECT_EQ(things(), 2500);
  EXPECT_EQ(read_integer(store(), "SELECT count(*) FROM thing WHERE size IS NULL"), 834);
  EXPECT_EQ(read("SELECT weight FROM thing WHERE name = 'thing 7'").real(0, 0), 7.5);
}

TEST_P(StoreContract, one_bad_set_of_many_undoes_all) {
  std::vector<Value> parameters;
  for (int i = 0; i < 1500; ++i) parameters.emplace_back("thing " + std::to_string(i % 1200));
  const Status status = store().write_and_wait([&](Transaction& transaction) {
    return transaction.execute_many("INSERT INTO thing (name) VALUES ($1)", 1, parameters).status();
  });
  EXPECT_EQ(status.code(), Code::kAlreadyExists);
  EXPECT_EQ(things(), 0);
}

TEST_P(StoreContract, ids_count_up_and_never_come_again) {
  std::vector<std::int64_t> ids;
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(store()
                    .write_and_wait([&ids](Transaction& transaction) -> Status {
                      CORTEX_ASSIGN_OR_RETURN(
                          const Rows rows,
                          transaction.query("INSERT INTO thing (name) VALUES ('a') RETURNING id")
                      );
                      ids.push_back(rows.integer(0, 0));
                      return {};
                    })
                    .ok());
    ASSERT_TRUE(write("DELETE FROM thing").ok());
  }
  EXPECT_LT(ids[0], ids[1]);
  EXPECT_LT(ids[1], ids[2]);
}

TEST_P(StoreContract, speaks_the_common_language) {
  const char* upsert =
      "INSERT INTO thing (name, size) VALUES ($1, $2) "
      "ON CONFLICT (name) DO UPDATE SET size = excluded.size";
  for (const int size : {1, 2}) ASSERT_TRUE(write(upsert, {"a", size}).ok());
  ASSERT_TRUE(write("INSERT INTO thing (name) VALUES ('b') ON CONFLICT DO NOTHING").ok());
  EXPECT_EQ(read("SELECT size FROM thing ORDER BY size DESC NULLS LAST").integer(0, 0), 2);
  EXPECT_EQ(read_integer(store(), "SELECT count(*) FROM thing WHERE (name, id) > ('a', 0)"), 2);
  const char* tree =
      "WITH RECURSIVE counted(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM counted WHERE n < 5) "
      "SELECT sum(n), avg(n), count(*), max(n) > 3 FROM counted";
  const Rows rows = read(tree);
  EXPECT_EQ(rows.integer(0, 0), 15);
  EXPECT_EQ(rows.real(0, 1), 3.0);
  EXPECT_EQ(rows.integer(0, 2), 5);
  EXPECT_EQ(rows.integer(0, 3), 1);
}

TEST_P(StoreContract, an_empty_answer_has_no_rows) {
  const Rows rows = read("SELECT name, size FROM thing");
  EXPECT_TRUE(rows.empty());
  EXPECT_EQ(rows.size(), 0u);
}

TEST_P(StoreContract, finds_its_database_whole) {
  ASSERT_TRUE(write(kInsert, {"a", 1, 1.0}).ok());
  EXPECT_TRUE(store().check_integrity().ok());
}

TEST_P(StoreContract, more_statements_than_are_kept_prepared_work) {
  for (int i = 0; i < 600; ++i) {
    const std::string number = std::to_string(i % 400);
    ASSERT_EQ(read_integer(store(), "SELECT " + number + " + $1", {1}), i % 400 + 1);
    if (i % 2 == 0) {
      ASSERT_TRUE(write("UPDATE thing SET size = $1 WHERE id = " + number, {1}).ok());
    }
  }
}

constexpr std::array<std::string_view, 3> kGrowing = {
    "CREATE TABLE tree (id {id}, name {text} NOT NULL)",
    "ALTER TABLE tree ADD COLUMN height BIGINT NOT NULL DEFAULT 3; "
    "CREATE INDEX tree_by_height ON tree (height)",
    "INSERT INTO tree (name, height) VALUES ('oak', 20)",
};

Schema growing(std::size_t version) {
  return {"trees", std::span<const std::string_view>(kGrowing).first(version)};
}

TEST_P(StoreContract, every_earlier_version_is_brought_up_to_date) {
  for (std::size_t from = 0; from <= kGrowing.size(); ++from) {
    TemporaryStore old(GetParam(), {growing(from)});
    if (from == 1) {
      ASSERT_TRUE(write_sql(*old, "INSERT INTO tree (name) VALUES ('elm')").ok());
    }
    const std::array<Schema, 1> newest = {growing(kGrowing.size())};
    const auto store = old.open_another(newest);
    ASSERT_TRUE(store.ok()) << store.status().to_string();
    const std::string sql = "SELECT count(*) FROM tree WHERE height = ";
    EXPECT_EQ(read_integer(**store, sql + "20"), 1);
    EXPECT_EQ(read_integer(**store, sql + "3"), from == 1 ? 1 : 0);
  }
}

TEST_P(StoreContract, a_newer_database_is_refused_and_not_touched) {
  TemporaryStore newer(GetParam(), {growing(3)});
  const std::array<Schema, 2> schemas = {kThings, growing(2)};
  const auto store = newer.open_another(schemas);
  ASSERT_FALSE(store.ok());
  EXPECT_EQ(store.status().code(), Code::kFailedPrecondition);
  EXPECT_NE(store.status().text().find("newer program"), std::string::npos);
  EXPECT_EQ(store.status().text().find("password"), std::string::npos);
  EXPECT_FALSE(read_sql(*newer, "SELECT count(*) FROM thing").ok());
}

TEST_P(StoreContract, a_step_that_fails_leaves_nothing) {
  constexpr std::array<std::string_view, 2> steps = {
      "CREATE TABLE half (a BIGINT)", "CREATE TABLE other_half (a BIGINT); SELEKT"
  };
  const std::array<Schema, 1> schemas = {Schema{"halves", steps}};
  EXPECT_FALSE(temporary_->open_another(schemas).ok());
  EXPECT_FALSE(read_sql(store(), "SELECT count(*) FROM half").ok());
  EXPECT_FALSE(read_sql(store(), "SELECT count(*) FROM other_half").ok());
}

TEST_P(StoreContract, a_room_that_is_left_out_keeps_its_tables) {
  ASSERT_TRUE(write(kInsert, {"a", 1, 1.0}).ok());
  const std::array<Schema, 1> schemas = {growing(1)};
  const auto another = temporary_->open_another(schemas);
  ASSERT_TRUE(another.ok());
  EXPECT_EQ(read_integer(**another, "SELECT count(*) FROM thing"), 1);
}

}  // namespace
}  // namespace cortex::store
