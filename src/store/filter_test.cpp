// SPDX-License-Identifier: Apache-2.0
#include "store/filter.h"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cortex::store {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

Comparison one(std::string_view filter) {
  auto parsed = parse_filter(filter);
  EXPECT_TRUE(parsed.ok()) << filter << ": " << parsed.status().to_string();
  if (!parsed.ok() || parsed->size() != 1) return {};
  return parsed->front();
}

std::string fault(std::string_view filter) {
  const auto parsed = parse_filter(filter);
  EXPECT_FALSE(parsed.ok()) << filter;
  return parsed.status().text();
}

TEST(Filter, an_empty_one_asks_nothing) {
  EXPECT_THAT(*parse_filter(""), IsEmpty());
  EXPECT_THAT(*parse_filter(" \n\t"), IsEmpty());
}

TEST(Filter, splits_an_identifier_at_its_first_dot) {
  const Comparison tag = one("tags.mlflow.source.name = 'a'");
  EXPECT_EQ(tag.entity, "tags");
  EXPECT_EQ(tag.key, "mlflow.source.name");
  const Comparison bare = one("name = 'a'");
  EXPECT_EQ(bare.entity, "");
  EXPECT_EQ(bare.key, "name");
}

TEST(Filter, quotes_around_keys_hold_anything) {
  EXPECT_EQ(one("metrics.`a b/c` > 1").key, "a b/c");
  EXPECT_EQ(one("metrics.\"a.b-c\" > 1").key, "a.b-c");
  EXPECT_EQ(one("`metrics`.x > 1").entity, "metrics");
  EXPECT_EQ(one("attributes.\"Run name\" = 'x'").key, "Run name");
}

TEST(Filter, a_doubled_quote_is_one) {
  EXPECT_EQ(one("params.a = 'it''s'").text, "it's");
  EXPECT_EQ(one("params.a = \"say \"\"x\"\"\"").text, "say \"x\"");
  EXPECT_EQ(one("params.a = ''").text, "");
}

TEST(Filter, reads_every_comparator_in_any_case) {
  EXPECT_EQ(one("a.b = 1").comparator, Comparator::kEqual);
  EXPECT_EQ(one("a.b!=1").comparator, Comparator::kNotEqual);
  EXPECT_EQ(one("a.b<1").comparator, Comparator::kLess);
  EXPECT_EQ(one("a.b <=1").comparator, Comparator::kLessOrEqual);
  EXPECT_EQ(one("a.b> 1").comparator, Comparator::kGreater);
  EXPECT_EQ(one("a.b>=1").comparator, Comparator::kGreaterOrEqual);
  EXPECT_EQ(one("a.b like 'x'").comparator, Comparator::kLike);
  EXPECT_EQ(one("a.b ILike 'x'").comparator, Comparator::kIlike);
  EXPECT_EQ(one("a.b in ('x')").comparator, Comparator::kIn);
  EXPECT_EQ(one("a.b NOT  IN ('x')").comparator, Comparator::kNotIn);
  EXPECT_EQ(one("a.b is null").comparator, Comparator::kIsNull);
  EXPECT_EQ(one("a.b IS NOT NULL").comparator, Comparator::kIsNotNull);
}

TEST(Filter, tells_integers_reals_texts_and_words_apart) {
  EXPECT_EQ(one("m.x > -12").integer, -12);
  EXPECT_EQ(one("m.x > -12").kind, Comparison::Kind::kInteger);
  EXPECT_EQ(one("m.x > 1.5e-3").real, 1.5e-3);
  EXPECT_EQ(one("m.x > 1.5e-3").kind, Comparison::Kind::kReal);
  EXPECT_EQ(one("m.x > .5").real, 0.5);
  EXPECT_EQ(one("m.x > 99999999999999999999").kind, Comparison::Kind::kReal);
  EXPECT_EQ(one("p.x = 'b'").kind, Comparison::Kind::kText);
  EXPECT_EQ(one("p.x = \"b\"").kind, Comparison::Kind::kText);
  EXPECT_EQ(one("p.x = b").kind, Comparison::Kind::kWord);
  EXPECT_EQ(one("p.x = `b`").kind, Comparison::Kind::kWord);
}

TEST(Filter, lists_hold_texts) {
  EXPECT_THAT(one("run_id IN ('a', \"b\",'c')").list, ElementsAre("a", "b", "c"));
  EXPECT_THAT(one("run_id IN ('a',)").list, ElementsAre("a"));
  for (const char* bad : {"a IN ()", "a IN (1)", "a IN ('a' 'b')", "a IN ('a'", "a IN 'a'"}) {
    EXPECT_THAT(fault(bad), HasSubstr("While parsing a list in the query")) << bad;
  }
}

TEST(Filter, comparisons_are_joined_by_and_alone) {
  EXPECT_THAT(*parse_filter("a.b = 1 AND c.d = 'x' and e = 'y'"), SizeIs(3));
  EXPECT_EQ(fault("a.b = 1 OR c.d = 2"), "Invalid clause(s) in filter string: 'OR'");
  EXPECT_EQ(fault("a.b = 1 c.d = 2"), "Invalid clause(s) in filter string: 'c.d'");
  EXPECT_EQ(fault("a.b = 1 AND"), "Invalid clause(s) in filter string: 'AND'");
}

TEST(Filter, refuses_what_is_no_comparison) {
  for (const char* bad :
       {"a",      "'a' = 'b'", "1 = 1",    "a.b ==",   "a.b = 'x",   "a.b = 1;", "(a.b = 1)",
        "a.b is", "a.b NOT 1", "a.b <> 1", "a.b == 1", "a.b = `x",   "a.b = 1x", "a.b = 1e999",
        "a.b =",  "= 1",       "--",       "a.b IS x", "a.b not in", "a b = 1",  "a.b = ("}) {
    EXPECT_EQ(parse_filter(bad).status().code(), Code::kInvalidArgument) << bad;
  }
}

TEST(Filter, names_its_limits) {
  std::string many = "a = 'x'";
  for (std::size_t i = 0; i < kComparisonsLimit; ++i) many.append(" AND a = 'x'");
  EXPECT_THAT(fault(many), HasSubstr(std::to_string(kComparisonsLimit)));
  EXPECT_THAT(
      fault(std::string(kFilterBytesLimit + 1, ' ')), HasSubstr(std::to_string(kFilterBytesLimit))
  );
}

TEST(Filter, values_become_parameters_and_never_sql) {
  std::string sql;
  std::vector<Value> parameters;
  append_condition(sql, parameters, "t.name", one("name = 'x'' OR 1=1 --'"));
  EXPECT_EQ(sql, "t.name = $1");
  EXPECT_THAT(parameters, ElementsAre(Value("x' OR 1=1 --")));
}

TEST(Filter, backslashes_in_patterns_are_no_escapes) {
  std::string sql;
  std::vector<Value> parameters;
  append_condition(sql, parameters, "n", one("name LIKE 'a\\%'"));
  sql.append(" AND ");
  append_condition(sql, parameters, "n", one("name ILIKE 'B\\'"));
  EXPECT_EQ(sql, "n LIKE $1 ESCAPE '\\' AND lower(n) LIKE lower(CAST($2 AS TEXT)) ESCAPE '\\'");
  EXPECT_THAT(parameters, ElementsAre(Value("a\\\\%"), Value("B\\\\")));
}

TEST(Filter, lists_become_one_parameter_for_each_value) {
  std::string sql;
  std::vector<Value> parameters{Value(std::int64_t{7})};
  append_condition(sql, parameters, "n", one("name NOT IN ('a', 'b')"));
  EXPECT_EQ(sql, "n NOT IN ($2, $3)");
  EXPECT_THAT(parameters, ElementsAre(Value(std::int64_t{7}), Value("a"), Value("b")));
}

TEST(Filter, types_of_comparisons_are_told) {
  EXPECT_TRUE(is_text_comparison(one("a LIKE 'x'")));
  EXPECT_FALSE(is_text_comparison(one("a > 'x'")));
  EXPECT_FALSE(is_text_comparison(one("a = 1")));
  EXPECT_TRUE(is_number_comparison(one("a >= 1.5")));
  EXPECT_FALSE(is_number_comparison(one("a LIKE 1")));
  EXPECT_FALSE(is_number_comparison(one("a = x")));
}

TEST(Ordering, reads_a_key_and_its_direction) {
  EXPECT_EQ(parse_ordering("metrics.`a b` DESC")->key, "a b");
  EXPECT_FALSE(parse_ordering("metrics.`a b` desc")->ascending);
  EXPECT_TRUE(parse_ordering("start_time")->ascending);
  EXPECT_EQ(
      parse_ordering("start_time up").status().text(),
      "Invalid ordering key in order_by clause 'start_time up'."
  );
  for (const char* bad : {"", "1", "'a'", "a ASC DESC", "a ASC,", "a; drop"}) {
    EXPECT_EQ(parse_ordering(bad).status().code(), Code::kInvalidArgument) << bad;
  }
}

}  // namespace
}  // namespace cortex::store
