// SPDX-License-Identifier: Apache-2.0
#include "store/keyset.h"

#include <limits>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cortex::store {
namespace {

TEST(Keyset, orders_and_continues_behind_a_row) {
  const std::vector<SortKey> keys{{"a", false}, {"b", true}};
  std::string sql;
  append_order(sql, keys);
  EXPECT_EQ(sql, "a DESC, b ASC");
  sql.clear();
  std::vector<Value> parameters;
  const std::vector<Value> last{Value(std::int64_t{5}), Value("x")};
  append_behind(sql, parameters, keys, last);
  EXPECT_EQ(sql, "(a <= $1 AND (a < $1 OR (b >= $2 AND (b > $2))))");
  EXPECT_EQ(parameters, last);
}

TEST(PageToken, gives_back_what_was_put_in) {
  const std::vector<Value> last{
      Value(std::numeric_limits<std::int64_t>::min()),
      Value(0.1),
      Value(-std::numeric_limits<double>::infinity()),
      Value(""),
      Value("3:a;b ü")
  };
  const auto read = read_page_token("q", make_page_token("q", last));
  ASSERT_TRUE(read.ok()) << read.status().to_string();
  EXPECT_EQ(*read, last);
}

TEST(PageToken, needs_no_escaping_in_a_query) {
  const std::string token = make_page_token("q", std::vector<Value>{Value("\x7f ~?/&=")});
  EXPECT_EQ(
      token.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"),
      std::string::npos
  );
}

TEST(PageToken, fits_its_own_query_alone) {
  const std::string token = make_page_token("a", std::vector<Value>{Value("x")});
  EXPECT_EQ(read_page_token("b", token).status().code(), Code::kInvalidArgument);
}

TEST(PageToken, refuses_what_is_none) {
  std::string token = make_page_token("a", std::vector<Value>{Value("xyz")});
  EXPECT_EQ(read_page_token("a", "").status().code(), Code::kInvalidArgument);
  EXPECT_EQ(read_page_token("a", "a b").status().code(), Code::kInvalidArgument);
  EXPECT_EQ(read_page_token("a", "eyJvZmZzZXQiOiAxMH0=").status().code(), Code::kInvalidArgument);
  token.resize(token.size() - 2);
  EXPECT_EQ(read_page_token("a", token).status().code(), Code::kInvalidArgument);
}

}  // namespace
}  // namespace cortex::store
