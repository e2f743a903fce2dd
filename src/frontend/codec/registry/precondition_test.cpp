// SPDX-License-Identifier: Apache-2.0
#include "frontend/codec/registry/precondition.h"

#include <string>

#include <gtest/gtest.h>

namespace cortex::frontend::registry_api {
namespace {

Result<Precondition> read(std::string name, std::string value) {
  HttpRequest request;
  request.headers = {{std::move(name), std::move(value)}};
  return Precondition::read(request);
}

TEST(Precondition, without_headers_allows_everything) {
  const auto none = Precondition::read(HttpRequest());
  ASSERT_TRUE(none.ok());
  EXPECT_FALSE(none->asked());
  EXPECT_TRUE(none->allows("7"));
  EXPECT_TRUE(none->allows(std::nullopt));
}

TEST(Precondition, if_match_needs_one_of_its_tags) {
  const auto match = read("if-match", R"("7", "8")");
  ASSERT_TRUE(match.ok());
  EXPECT_TRUE(match->allows("7"));
  EXPECT_TRUE(match->allows("8"));
  EXPECT_FALSE(match->allows("9"));
  EXPECT_FALSE(match->allows(std::nullopt));
}

TEST(Precondition, if_match_with_a_star_needs_that_something_stands) {
  EXPECT_TRUE(read("if-match", "*")->allows("7"));
  EXPECT_FALSE(read("if-match", "*")->allows(std::nullopt));
}

TEST(Precondition, weak_tags_never_match_for_a_change) {
  EXPECT_FALSE(read("if-match", R"(W/"7")")->allows("7"));
  EXPECT_TRUE(read("if-none-match", R"(W/"7")")->is_known("7"));
}

TEST(Precondition, if_none_match_with_a_star_needs_that_nothing_stands) {
  const auto none_match = read("if-none-match", "*");
  ASSERT_TRUE(none_match.ok());
  EXPECT_TRUE(none_match->allows(std::nullopt));
  EXPECT_FALSE(none_match->allows("7"));
}

TEST(Precondition, refuses_what_is_no_list_of_tags) {
  for (const char* text : {"", " ", "7", "\"7", "\"7\" \"8\"", "\"7\",x", "W/7", "*, \"7\""}) {
    EXPECT_EQ(read("if-match", text).status().code(), Code::kInvalidArgument) << text;
  }
  std::string many;
  for (int i = 0; i < 1000; ++i) many += "\"7\",";
  EXPECT_FALSE(read("if-match", many).ok());
}

TEST(Precondition, refuses_a_header_that_is_there_twice) {
  for (const char* name : {"if-match", "if-none-match"}) {
    HttpRequest request;
    request.headers = {{name, "\"7\""}, {name, "\"8\""}};
    EXPECT_EQ(Precondition::read(request).status().code(), Code::kInvalidArgument) << name;
  }
}

TEST(Precondition, is_refused_where_nothing_has_a_tag) {
  EXPECT_TRUE(Precondition::read(HttpRequest())->refuse().ok());
  EXPECT_EQ(read("if-match", "*")->refuse().code(), Code::kInvalidArgument);
  EXPECT_EQ(read("if-none-match", "\"7\"")->refuse().code(), Code::kInvalidArgument);
}

}  // namespace
}  // namespace cortex::frontend::registry_api
