// SPDX-License-Identifier: Apache-2.0
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "store/detail/postgresql_address.h"
#include "store/detail/postgresql_error.h"
#include "store/detail/postgresql_value.h"
#include "store/store.h"
#include "store/testing/latch.h"
#include "store/testing/store_calls.h"
#include "store/testing/temporary_store.h"

namespace cortex::store {
namespace {

TEST(PostgresqlValue, numbers_keep_their_kind) {
  EXPECT_EQ(parse_value(16, "t"), Value(std::int64_t{1}));
  EXPECT_EQ(parse_value(16, "f"), Value(std::int64_t{0}));
  EXPECT_EQ(
      parse_value(20, "-9223372036854775808"), Value(std::numeric_limits<std::int64_t>::min())
  );
  EXPECT_EQ(parse_value(701, "1e-300"), Value(1e-300));
  EXPECT_EQ(parse_value(701, "-Infinity"), Value(-std::numeric_limits<double>::infinity()));
  EXPECT_EQ(parse_value(1700, "12"), Value(std::int64_t{12}));
  EXPECT_EQ(parse_value(1700, "12.000"), Value(std::int64_t{12}));
  EXPECT_EQ(parse_value(1700, "12.500"), Value(12.5));
  EXPECT_EQ(parse_value(1700, "10000000000000000000000"), Value(1e22));
  EXPECT_EQ(parse_value(25, "12"), Value("12"));
}

TEST(PostgresqlValue, one_type_fits_all_sets_of_a_parameter) {
  const std::vector<Value> sets = {1, 1, {}, "a", {}, 2.5, {}, {}};
  EXPECT_EQ(parameter_types(4, sets), (std::vector<Oid32>{20, 701, 0, 25}));
}

TEST(PostgresqlAddress, shows_where_but_not_the_password) {
  const auto address = PostgresqlAddress::parse("postgresql://me:s3cret@db.example:6432/cortex");
  ASSERT_TRUE(address.ok());
  EXPECT_EQ(address->name(), "db.example:6432/cortex");
  const auto wrong = PostgresqlAddress::parse("postgresql://me:s3cret%zz@db.example/cortex");
  ASSERT_FALSE(wrong.ok());
  EXPECT_EQ(wrong.status().to_string().find("s3cret"), std::string::npos);
}

TEST(PostgresqlError, maps_states_to_codes) {
  EXPECT_EQ(postgresql_status("23505", "").code(), Code::kAlreadyExists);
  EXPECT_EQ(postgresql_status("23503", "").code(), Code::kFailedPrecondition);
  EXPECT_EQ(postgresql_status("40001", "").code(), Code::kAborted);
  EXPECT_EQ(postgresql_status("40P01", "").code(), Code::kAborted);
  EXPECT_EQ(postgresql_status("57014", "").code(), Code::kDeadlineExceeded);
  EXPECT_EQ(postgresql_status("57P01", "").code(), Code::kUnavailable);
  EXPECT_EQ(postgresql_status("53100", "").code(), Code::kResourceExhausted);
  EXPECT_EQ(postgresql_status("53300", "").code(), Code::kUnavailable);
  EXPECT_EQ(postgresql_status("XX001", "").code(), Code::kDataLoss);
  EXPECT_EQ(postgresql_status("42601", "").code(), Code::kInternal);
}

// A port of this machine that takes connections and never says a word, or nobody listens at.
class SilentPort {
 public:
  explicit SilentPort(bool listening) : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    auto* generic = reinterpret_cast<sockaddr*>(&address);
    CHECK(::bind(socket_, generic, size) == 0, "there are free ports");
    CHECK(::getsockname(socket_, generic, &size) == 0, "a bound socket has a name");
    CHECK(!listening || ::listen(socket_, 8) == 0, "a socket listens");
    port_ = ntohs(address.sin_port);
  }
  ~SilentPort() { ::close(socket_); }
  SilentPort(const SilentPort&) = delete;
  SilentPort& operator=(const SilentPort&) = delete;

  [[nodiscard]] std::string address() const {
    return "postgresql://me:s3cret@127.0.0.1:" + std::to_string(port_) + "/cortex";
  }

 private:
  int socket_;
  int port_ = 0;
};

Status open_at(const std::string& address) {
  StoreOptions options;
  options.address = address;
  options.deadline = std::chrono::milliseconds(300);
  return open_store(options, {}).status();
}

TEST(PostgresqlStore, a_server_that_refuses_is_unavailable) {
  const SilentPort nobody(false);
  const Status status = open_at(nobody.address());
  EXPECT_EQ(status.code(), Code::kUnavailable);
  EXPECT_EQ(status.to_string().find("s3cret"), std::string::npos) << status.to_string();
  EXPECT_NE(status.text().find("127.0.0.1:"), std::string::npos);
}

TEST(PostgresqlStore, a_server_that_says_nothing_holds_nobody_up) {
  const SilentPort silent(true);
  EXPECT_EQ(open_at(silent.address()).code(), Code::kDeadlineExceeded);
}

constexpr std::array<std::string_view, 1> kSteps = {
    "CREATE TABLE thing (id {id}, name {text} NOT NULL UNIQUE)"
};
constexpr Schema kThings = {"things", kSteps};
constexpr const char* kInsert = "INSERT INTO thing (name) VALUES ($1)";

class PostgresqlServer : public testing::Test {
 protected:
  void SetUp() override {
    if (!TemporaryStore::available("postgresql")) GTEST_SKIP() << "CORTEX_TEST_POSTGRESQL is unset";
    temporary_.emplace("postgresql", std::vector<Schema>{kThings});
    auto another = temporary_->open_another(std::array{kThings});
    ASSERT_TRUE(another.ok());
    another_ = std::move(another).value();
  }
  Store& store() { return **temporary_; }

  std::optional<TemporaryStore> temporary_;
  std::unique_ptr<Store> another_;  // as in another process; goes before the schema
};

TEST_F(PostgresqlServer, a_change_by_another_process_is_heard_of) {
  Latch heard;
  std::atomic<std::int64_t> revision = 0;
  store().on_change([&](std::int64_t newest) {
    revision = newest;
    heard.open();
  });
  ASSERT_TRUE(another_
                  ->write_and_wait([](Transaction& transaction) {
                    return transaction.note_change("thing", "a").status();
                  })
                  .ok());
  heard.wait();
  store().on_change(nullptr);
  EXPECT_EQ(revision, 1);
  EXPECT_EQ(store().revision(), 1);
}

TEST_F(PostgresqlServer, statements_survive_a_table_that_changed_under_them) {
  ASSERT_TRUE(write_sql(store(), kInsert, {"a"}).ok());
  ASSERT_EQ(read_sql(store(), "SELECT * FROM thing")->columns(), 2u);
  ASSERT_EQ(read_sql(store(), "SELECT * FROM thing")->columns(), 2u);
  ASSERT_TRUE(write_sql(*another_, "ALTER TABLE thing ADD COLUMN size BIGINT").ok());
  for (int i = 0; i < 4; ++i) {
    const Result<Rows> rows = read_sql(store(), "SELECT * FROM thing");
    ASSERT_TRUE(rows.ok()) << rows.status().to_string();
    EXPECT_EQ(rows->columns(), 3u);
  }
}

TEST_F(PostgresqlServer, a_deadlock_is_solved_by_running_again) {
  ASSERT_TRUE(write_sql(store(), kInsert, {"a"}).ok());
  ASSERT_TRUE(write_sql(store(), kInsert, {"b"}).ok());
  std::array<Latch, 2> locked;
  const auto cross = [&locked](std::size_t mine) {
    return [&locked, mine](Transaction& transaction) -> Status {
      const std::array<const char*, 2> names = {"a", "b"};
      const std::string sql = "UPDATE thing SET name = name WHERE name = $1";
      CORTEX_RETURN_IF_ERROR(transaction.execute(sql, {names.at(mine)}).status());
      locked.at(mine).open();
      locked.at(1 - mine).wait();
      return transaction.execute(sql, {names.at(1 - mine)}).status();
    };
  };
  std::array<Status, 2> statuses;
  std::array<Latch, 2> done;
  for (std::size_t i = 0; i < 2; ++i) {
    Store& one = i == 0 ? store() : *another_;
    one.write(
        cross(i),
        [&, i](Status status) {
          statuses.at(i) = std::move(status);
          done.at(i).open();
        },
        Durability::kStrict
    );
  }
  for (Latch& latch : done) latch.wait();
  EXPECT_TRUE(statuses[0].ok()) << statuses[0].to_string();
  EXPECT_TRUE(statuses[1].ok()) << statuses[1].to_string();
}

TEST_F(PostgresqlServer, a_connection_that_was_ended_is_replaced_and_the_work_runs_again) {
  int runs = 0;
  const Status status = store().write_and_wait([&runs](Transaction& transaction) -> Status {
    ++runs;
    CORTEX_RETURN_IF_ERROR(transaction.execute(kInsert, {"a"}).status());
    if (runs == 1) {
      (void)transaction.query("SELECT pg_terminate_backend(pg_backend_pid())");
    }
    return transaction.execute(kInsert, {"b"}).status();
  });
  EXPECT_TRUE(status.ok()) << status.to_string();
  EXPECT_EQ(runs, 2);
  EXPECT_EQ(read_integer(store(), "SELECT count(*) FROM thing"), 2);
  EXPECT_TRUE(store().health().available);
}

TEST_F(PostgresqlServer, is_backed_up_by_its_own_tools) {
  EXPECT_EQ(store().backup(temporary_->folder() / "copy").code(), Code::kUnimplemented);
}

}  // namespace
}  // namespace cortex::store
