// SPDX-License-Identifier: Apache-2.0
#include "frontend/codec/mlflow/wire.h"

#include <array>
#include <cmath>
#include <limits>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "frontend/codec/testing/fake_exchange.h"

namespace cortex::frontend::mlflow {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

Document document(std::string_view text) {
  auto read = Document::read_json(text);
  EXPECT_TRUE(read.ok()) << read.status().to_string();
  return std::move(read).value();
}

Document query(std::string text) {
  HttpRequest request;
  request.query = std::move(text);
  request.body = testing::body_of("");
  auto read = Document::read(request);
  EXPECT_TRUE(read.ok()) << read.status().to_string();
  return std::move(read).value();
}

TEST(Fields, missing_and_null_are_unset_and_the_unknown_is_ignored) {
  const Document from = document(R"({"a":null,"b":"","c":1,"more":{}})");
  const Fields fields = from.fields();
  EXPECT_FALSE(fields.has("a"));
  EXPECT_TRUE(fields.has("b"));
  EXPECT_EQ(fields.text_if("a"), std::nullopt);
  EXPECT_EQ(fields.text_if("b"), "");
  EXPECT_EQ(fields.integer("x"), std::nullopt);
  EXPECT_TRUE(fields.status().ok());
}

TEST(Fields, integers_come_as_numbers_or_text) {
  const Document from =
      document(R"({"a":7,"b":"-8","c":9.0,"d":9.5,"e":9223372036854775808,"f":"1x"})");
  const Fields fields = from.fields();
  EXPECT_EQ(fields.integer("a"), 7);
  EXPECT_EQ(fields.integer("b"), -8);
  EXPECT_EQ(fields.integer("c"), 9);
  EXPECT_TRUE(fields.status().ok());
  EXPECT_EQ(fields.integer("d"), std::nullopt);
  EXPECT_THAT(fields.status().text(), HasSubstr("for parameter 'd' supplied"));
  EXPECT_EQ(fields.integer("e"), std::nullopt);
  EXPECT_EQ(fields.integer("f"), std::nullopt);
}

TEST(Fields, reals_know_nan_and_infinities) {
  const Document from =
      document(R"({"a":"NaN","b":"Infinity","c":"-Infinity","d":1,"e":"1.5","f":"nan"})");
  const Fields fields = from.fields();
  EXPECT_TRUE(std::isnan(*fields.real("a")));
  EXPECT_EQ(fields.real("b"), std::numeric_limits<double>::infinity());
  EXPECT_EQ(fields.real("c"), -std::numeric_limits<double>::infinity());
  EXPECT_EQ(fields.real("d"), 1);
  EXPECT_EQ(fields.real("e"), 1.5);
  EXPECT_EQ(fields.real("f"), std::nullopt);
}

TEST(Fields, reals_are_the_nearest_doubles) {
  const Document from = document(
      R"({"a":0.036712383142708804,"b":"0.036712383142708804","c":1e23,"d":36893488147419107329})"
  );
  const Fields fields = from.fields();
  EXPECT_EQ(fields.real("a"), 0.036712383142708804);
  EXPECT_EQ(fields.real("b"), 0.036712383142708804);
  EXPECT_EQ(fields.real("c"), 1e23);
  EXPECT_EQ(fields.real("d"), 36893488147419107329.0);
}

TEST(Fields, the_first_fault_is_kept_with_the_name_of_its_field) {
  const Document from = document(R"({"list":[{"key":"a"},{"key":5}],"x":[]})");
  const Fields fields = from.fields();
  for_each_message(fields, "list", [](const Fields& item) { (void)item.required_text("key"); });
  EXPECT_EQ(
      fields.status().text(),
      "Invalid value 5 for parameter 'list[1].key' supplied:  Hint: Value was of type 'int'. See "
      "the API docs for more information about request parameters."
  );
  EXPECT_EQ(fields.text("x"), "");
  EXPECT_THAT(fields.status().text(), HasSubstr("list[1].key"));
}

TEST(Fields, what_is_required_is_named_when_it_is_missing) {
  const Document from = document(R"({"a":"","inner":{}})");
  EXPECT_EQ(from.fields().required_text("a"), "");
  EXPECT_EQ(
      from.fields().status().text(),
      "Missing value for required parameter 'a'. See the API docs for more information about "
      "request parameters."
  );
  const Document nested = document(R"({"inner":{}})");
  const Fields outer = nested.fields();
  const Fields inner = outer.message("inner");
  EXPECT_EQ(inner.required_integer("n"), 0);
  EXPECT_THAT(inner.status().text(), HasSubstr("'inner.n'"));
}

TEST(Fields, text_with_a_nul_is_refused) {
  const Document from = document(R"({"a":"x\u0000y"})");
  (void)from.fields().text("a");
  EXPECT_EQ(from.fields().status().text(), "'a' cannot contain NUL (0x00) characters");
}

TEST(Fields, enums_come_by_name_or_number) {
  static constexpr std::array<std::string_view, 2> kNames = {"ONE", "TWO"};
  const Document from = document(R"({"a":"TWO","b":1,"c":"THREE"})");
  EXPECT_EQ(from.fields().choice("a", kNames), 2U);
  EXPECT_EQ(from.fields().choice("b", kNames), 1U);
  EXPECT_TRUE(from.fields().status().ok());
  EXPECT_EQ(from.fields().choice("c", kNames), std::nullopt);
  EXPECT_FALSE(from.fields().status().ok());
}

TEST(Fields, a_query_is_read_like_a_body) {
  const Document from = query("a=x%2Fy+z&n=5&flag=True&list=1&list=2&one=3&%C3%BC=%zz&empty=");
  const Fields fields = from.fields();
  EXPECT_EQ(fields.text("a"), "x/y z");
  EXPECT_EQ(fields.integer("n"), 5);
  EXPECT_EQ(fields.flag("flag"), true);
  EXPECT_THAT(fields.texts("list"), ElementsAre("1", "2"));
  EXPECT_THAT(fields.texts("one"), ElementsAre("3"));
  EXPECT_EQ(fields.text("ü"), "%zz");
  EXPECT_EQ(fields.text_if("empty"), "");
  EXPECT_TRUE(fields.status().ok()) << fields.status().to_string();
  EXPECT_EQ(fields.flag("a"), std::nullopt);
  EXPECT_EQ(fields.status().text(), "Invalid boolean value: x/y z, must be 'true' or 'false'.");
}

TEST(Document, takes_json_objects_alone) {
  EXPECT_TRUE(Document::read_json("").ok());
  EXPECT_TRUE(Document::read_json("{}").ok());
  EXPECT_TRUE(Document::read_json("null").ok());
  for (const char* bad : {"[]", "1", "{", "{} x", "{\"a\":1,}", "\"x\"", "{\"a\":\"\xff\"}"}) {
    EXPECT_EQ(Document::read_json(bad).status().code(), Code::kInvalidArgument) << bad;
  }
  std::string deep = "{\"a\":";
  for (int i = 0; i < 40; ++i) deep.append("[");
  EXPECT_EQ(Document::read_json(deep).status().code(), Code::kInvalidArgument);
  EXPECT_EQ(Document::read_json(deep).status().text(), "Malformed JSON in the request: too deep");
}

TEST(Document, a_post_declares_json) {
  HttpRequest request;
  request.method = Method::kPost;
  request.body = testing::body_of("{}");
  EXPECT_THAT(Document::read(request).status().text(), HasSubstr("Content-Type header is missing"));
  request.headers = {{"content-type", "text/plain"}};
  EXPECT_THAT(Document::read(request).status().text(), HasSubstr("must be one of"));
  request.headers = {{"content-type", "Application/JSON ; charset=utf-8"}};
  EXPECT_TRUE(Document::read(request).ok());
  request.method = Method::kDelete;
  request.headers.clear();
  EXPECT_TRUE(Document::read(request).ok());
}

TEST(JsonWriter, puts_commas_where_they_belong) {
  std::string out;
  JsonWriter writer(out);
  writer.open_object();
  writer.text("a", "x:{[");
  writer.integer("b", -5);
  writer.open_list("c");
  writer.open_object();
  writer.close_object();
  writer.text({}, "y");
  writer.close_list();
  writer.real("d", std::nan(""));
  writer.real("e", -std::numeric_limits<double>::infinity());
  writer.real("f", 0.1);
  writer.flag("g", true);
  writer.text_if("h", "");
  writer.close_object();
  EXPECT_EQ(out, R"({"a":"x:{[","b":-5,"c":[{},"y"],"d":"NaN","e":"-Infinity","f":0.1,"g":true})");
}

TEST(Errors, have_mlflows_names_and_statuses) {
  const HttpReply missing = error_reply(not_found("no \"x\""));
  EXPECT_EQ(missing.status, 404);
  EXPECT_EQ(missing.body, R"({"error_code":"RESOURCE_DOES_NOT_EXIST","message":"no \"x\""})");
  EXPECT_EQ(error_reply(already_exists("x")).status, 400);
  EXPECT_EQ(error_reply(invalid_argument("x")).status, 400);
  EXPECT_EQ(error_reply(unavailable("x")).status, 503);
  EXPECT_THAT(error_reply(internal("secret")).body, ::testing::Not(HasSubstr("secret")));
  const HttpReply full =
      error_reply(resource_exhausted("x").with_retry_after(std::chrono::milliseconds(1500)));
  EXPECT_EQ(full.status, 429);
  ASSERT_EQ(full.headers.size(), 1U);
  EXPECT_EQ(full.headers[0].second, "2");
}

TEST(Errors, what_the_server_refuses_has_a_name_too) {
  EXPECT_THAT(refusal_body(404, not_found("x")), HasSubstr("ENDPOINT_NOT_FOUND"));
  EXPECT_THAT(refusal_body(405, invalid_argument("x")), HasSubstr("ENDPOINT_NOT_FOUND"));
  EXPECT_THAT(refusal_body(401, unauthenticated("x")), HasSubstr("UNAUTHENTICATED"));
  EXPECT_THAT(refusal_body(403, permission_denied("x")), HasSubstr("PERMISSION_DENIED"));
  EXPECT_THAT(refusal_body(413, resource_exhausted("x")), HasSubstr("BAD_REQUEST"));
}

}  // namespace
}  // namespace cortex::frontend::mlflow
