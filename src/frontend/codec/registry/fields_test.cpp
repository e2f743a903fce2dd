// SPDX-License-Identifier: Apache-2.0
#include "frontend/codec/registry/fields.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "frontend/codec/testing/fake_exchange.h"

namespace cortex::frontend::registry_api {
namespace {

using ::testing::HasSubstr;

HttpRequest request_of(std::string_view body, std::string type = "application/json") {
  HttpRequest request;
  request.body = frontend::testing::body_of(body);
  request.headers = {{"content-type", std::move(type)}};
  return request;
}

Fields fields_of(std::string_view body) { return *Fields::read(request_of(body)); }

TEST(Fields, reads_members_by_their_type) {
  const Fields fields = fields_of(
      R"({"text":"a","number":3,"flag":true,"tags":{"k":"v"},"list":[{"name":"x"}],"none":null})"
  );
  EXPECT_EQ(fields.required_text("text"), "a");
  EXPECT_EQ(fields.integer("number"), 3);
  EXPECT_TRUE(fields.flag("flag"));
  EXPECT_EQ(fields.texts("tags").at("k"), "v");
  EXPECT_EQ(fields.items("list").at(0).required_text("name"), "x");
  EXPECT_TRUE(fields.has("none"));
  EXPECT_EQ(fields.text_if("none"), std::nullopt);
  EXPECT_TRUE(fields.finish().ok()) << fields.finish().to_string();
}

TEST(Fields, name_a_member_that_nobody_reads) {
  const Fields fields = fields_of(R"({"changes":[{"alias":"a","expectd_version":1}]})");
  for (const Fields& item : fields.items("changes")) static_cast<void>(item.text("alias"));
  EXPECT_THAT(fields.finish().text(), HasSubstr("'changes[0].expectd_version'"));
}

TEST(Fields, keep_the_first_fault_with_its_path) {
  const Fields fields = fields_of(R"({"list":[{"name":1}],"other":"x"})");
  static_cast<void>(fields.items("list").at(0).text("name"));
  static_cast<void>(fields.integer("other"));
  EXPECT_THAT(fields.finish().text(), HasSubstr("list[0].name: must be a text"));
}

TEST(Fields, refuse_what_is_no_object_of_json) {
  for (const char* body : {"[]", "1", "{", "{} {}", "\"\xff\""}) {
    EXPECT_EQ(Fields::read(request_of(body)).status().code(), Code::kInvalidArgument) << body;
  }
  std::string deep(40, '[');
  EXPECT_FALSE(Fields::read(request_of("{\"a\":" + deep)).ok());
  EXPECT_FALSE(Fields::read(request_of("{}", "text/plain")).ok());
  EXPECT_FALSE(Fields::read(request_of("{}", "application/jsonx")).ok());
  EXPECT_TRUE(Fields::read(request_of("{}", "application/json; charset=utf-8")).ok());
  EXPECT_TRUE(Fields::read(request_of("", "")).ok());
}

TEST(Fields, refuse_a_zero_byte) {
  const Fields fields = fields_of(R"({"name":"a\u0000b"})");
  static_cast<void>(fields.text("name"));
  EXPECT_FALSE(fields.finish().ok());
}

TEST(Query, reads_parameters_and_names_unknown_ones) {
  auto query = Query::read("filter=a%3D'b'+AND+c&limit=7&order_by=x&order_by=y");
  ASSERT_TRUE(query.ok());
  EXPECT_EQ(query->text("filter"), "a='b' AND c");
  EXPECT_EQ(query->integer("limit", {100, 1, 1000}), 7);
  EXPECT_FALSE(query->finish().ok());
  EXPECT_EQ(query->texts("order_by").size(), 2u);
  EXPECT_TRUE(query->finish().ok());
}

TEST(Query, refuses_numbers_out_of_range_and_bad_escapes) {
  for (const char* raw :
       {"limit=0", "limit=1001", "limit=x", "limit=1&limit=2", "limit=99999999999999999999"}) {
    auto query = Query::read(raw);
    ASSERT_TRUE(query.ok()) << raw;
    static_cast<void>(query->integer("limit", {100, 1, 1000}));
    EXPECT_FALSE(query->finish().ok()) << raw;
  }
  EXPECT_FALSE(Query::read("a=%zz").ok());
  EXPECT_FALSE(Query::read("a=%ff").ok());
  std::string many;
  for (int i = 0; i < 100; ++i) many += "a=1&";
  EXPECT_FALSE(Query::read(many).ok());
}

TEST(Segment, encodes_everything_that_a_path_would_read) {
  std::string out;
  append_segment(out, "a/b:c d%é");
  EXPECT_EQ(out, "a%2Fb%3Ac%20d%25%C3%A9");
}

}  // namespace
}  // namespace cortex::frontend::registry_api
