// SPDX-License-Identifier: Apache-2.0
#include "frontend/http/route_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "frontend/http/target.h"

namespace cortex::frontend {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using Kind = RouteMatch::Kind;

Route route(Method method, std::string_view pattern) {
  Route made;
  made.method = method;
  made.pattern = pattern;
  return made;
}

Api api(std::string_view name, std::string prefix, std::vector<Route> routes) {
  return Api{name, std::move(prefix), std::move(routes), nullptr};
}

RouteTable table() {
  auto built = RouteTable::build(
      {api("oip",
           "",
           {route(Method::kGet, "/v2"),
            route(Method::kGet, "/v2/models/stats"),
            route(Method::kGet, "/v2/models/{model}"),
            route(Method::kPost, "/v2/models/{model}/infer"),
            route(Method::kPost, "/v2/models/{model}/versions/{version}/infer")}),
       api("openai",
           "",
           {route(Method::kGet, "/v1/models"), route(Method::kGet, "/v1/models/{id*}")}),
       api("service", "/service", {route(Method::kDelete, "/things/{thing}")})}
  );
  EXPECT_TRUE(built.ok()) << built.status().to_string();
  return std::move(built).value();
}

TEST(RouteTable, finds_a_literal_path) {
  const RouteTable routes = table();
  const RouteMatch match = routes.match(Method::kGet, "/v2");
  ASSERT_EQ(match.kind, Kind::kFound);
  EXPECT_EQ(match.pattern, "/v2");
  EXPECT_EQ(match.api->name, "oip");
  EXPECT_THAT(match.values, IsEmpty());
}

TEST(RouteTable, hands_out_decoded_values_in_order) {
  const RouteTable routes = table();
  const RouteMatch match = routes.match(Method::kPost, "/v2/models/org%2Fname/versions/%33/infer");
  ASSERT_EQ(match.kind, Kind::kFound);
  EXPECT_THAT(match.values, ElementsAre("org/name", "3"));
}

TEST(RouteTable, a_literal_wins_over_a_value) {
  const RouteTable routes = table();
  EXPECT_EQ(routes.match(Method::kGet, "/v2/models/stats").pattern, "/v2/models/stats");
  EXPECT_EQ(routes.match(Method::kGet, "/v2/models/stat").pattern, "/v2/models/{model}");
}

TEST(RouteTable, falls_back_to_the_value_when_the_literal_leads_nowhere) {
  const RouteTable routes = table();
  const RouteMatch match = routes.match(Method::kPost, "/v2/models/stats/infer");
  ASSERT_EQ(match.kind, Kind::kFound);
  EXPECT_THAT(match.values, ElementsAre("stats"));
}

TEST(RouteTable, a_rest_pattern_takes_slashes) {
  const RouteTable routes = table();
  const RouteMatch match = routes.match(Method::kGet, "/v1/models/org/name");
  ASSERT_EQ(match.kind, Kind::kFound);
  EXPECT_THAT(match.values, ElementsAre("org/name"));
  EXPECT_EQ(routes.match(Method::kGet, "/v1/models/").kind, Kind::kNoSuchPath);
}

TEST(RouteTable, a_mounted_api_lives_below_its_prefix) {
  const RouteTable routes = table();
  EXPECT_EQ(routes.match(Method::kDelete, "/service/things/a").pattern, "/service/things/{thing}");
  EXPECT_EQ(routes.match(Method::kDelete, "/things/a").kind, Kind::kNoSuchPath);
}

TEST(RouteTable, head_is_answered_from_get) {
  const RouteTable routes = table();
  EXPECT_EQ(routes.match(Method::kHead, "/v2").kind, Kind::kFound);
  EXPECT_EQ(routes.match(Method::kHead, "/v2/models/a/infer").kind, Kind::kNoSuchMethod);
}

TEST(RouteTable, a_wrong_method_names_the_allowed_ones) {
  const RouteTable routes = table();
  const RouteMatch get = routes.match(Method::kPut, "/v2/models/m");
  EXPECT_EQ(get.kind, Kind::kNoSuchMethod);
  EXPECT_EQ(get.allow, "GET, HEAD, OPTIONS");
  EXPECT_EQ(get.api->name, "oip");
  EXPECT_EQ(get.pattern, "/v2/models/{model}") << "for the record";
  EXPECT_EQ(routes.match(Method::kGet, "/v2/models/m/infer").allow, "POST, OPTIONS");
}

TEST(RouteTable, an_unknown_path_belongs_to_the_longest_known_prefix) {
  const RouteTable routes = table();
  EXPECT_EQ(routes.match(Method::kGet, "/v2/nothing").api->name, "oip");
  EXPECT_EQ(routes.match(Method::kGet, "/v1/nothing/at/all").api->name, "openai");
  EXPECT_EQ(routes.match(Method::kGet, "/service/x").api->name, "service");
  EXPECT_EQ(routes.match(Method::kGet, "/nothing").api, nullptr);
}

TEST(RouteTable, empty_segments_are_no_values) {
  const RouteTable routes = table();
  EXPECT_EQ(routes.match(Method::kGet, "/v2/models/").kind, Kind::kNoSuchPath);
  EXPECT_EQ(routes.match(Method::kGet, "//v2").kind, Kind::kNoSuchPath);
  EXPECT_EQ(routes.match(Method::kGet, "/v2/").kind, Kind::kNoSuchPath);
  EXPECT_EQ(routes.match(Method::kGet, "*").kind, Kind::kNoSuchPath);
  EXPECT_EQ(routes.match(Method::kGet, "").kind, Kind::kNoSuchPath);
}

TEST(RouteTable, a_bad_escape_in_a_value_is_a_bad_path) {
  const RouteTable routes = table();
  for (const char* path : {"/v2/models/%", "/v2/models/%4", "/v2/models/%zz", "/v2/models/%00"}) {
    EXPECT_EQ(routes.match(Method::kGet, path).kind, Kind::kBadPath) << path;
  }
}

TEST(RouteTable, two_owners_of_one_route_are_refused_and_both_named) {
  const auto built = RouteTable::build(
      {api("openai", "", {route(Method::kGet, "/v1/models/{id}")}),
       api("mlflow", "/v1", {route(Method::kGet, "/models/{name}")})}
  );
  ASSERT_FALSE(built.ok());
  EXPECT_THAT(built.status().text(), HasSubstr("openai (/v1/models/{id})"));
  EXPECT_THAT(built.status().text(), HasSubstr("mlflow (/v1/models/{name})"));
}

TEST(RouteTable, malformed_patterns_are_all_named) {
  const auto built = RouteTable::build({api(
      "bad",
      "",
      {route(Method::kGet, "x"),
       route(Method::kGet, "/a/v{b}"),
       route(Method::kGet, "/a/{b*}/c"),
       route(Method::kGet, "/a/{}")}
  )});
  ASSERT_FALSE(built.ok());
  for (const char* pattern : {"(x)", "(/a/v{b})", "(/a/{b*}/c)", "(/a/{})"}) {
    EXPECT_THAT(built.status().text(), HasSubstr(pattern));
  }
}

TEST(Target, takes_origin_and_absolute_forms) {
  EXPECT_EQ(split_target("/a/b?c=d?e")->path, "/a/b");
  EXPECT_EQ(split_target("/a/b?c=d?e")->query, "c=d?e");
  EXPECT_EQ(split_target("http://host:80/a?b")->path, "/a");
  EXPECT_EQ(split_target("HTTPS://host?b")->path, "/");
  EXPECT_EQ(split_target("HTTPS://host?b")->query, "b");
  EXPECT_EQ(split_target("*")->path, "*");
}

TEST(Target, refuses_everything_else) {
  for (const char* target : {"a", "host:80", "ftp://host/a", "http:///a", "http://", "/a#b"}) {
    EXPECT_FALSE(split_target(target).has_value()) << target;
  }
}

}  // namespace
}  // namespace cortex::frontend
