// SPDX-License-Identifier: Apache-2.0
#include "base/json_value.h"

#include <array>
#include <bit>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <limits>
#include <random>
#include <string>

#include <boost/json/monotonic_resource.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <gtest/gtest.h>

namespace cortex {
namespace {

namespace json = boost::json;

using Limits = std::numeric_limits<double>;

json::value value_of(const std::string& text) {
  auto value = parse_json_value(text);
  EXPECT_TRUE(value.ok()) << text << ": " << value.status().to_string();
  return value.ok() ? std::move(*value) : json::value();
}

// Of a text that stands for a double.
double double_of(const std::string& text) {
  const json::value value = value_of(text);
  EXPECT_TRUE(value.is_double()) << text;
  return value.is_double() ? value.get_double() : Limits::quiet_NaN();
}

std::uint64_t bits(double value) { return std::bit_cast<std::uint64_t>(value); }

void expect_exact(const std::string& text, double expected) {
  EXPECT_EQ(bits(double_of(text)), bits(expected)) << text;
  EXPECT_EQ(bits(double_of("-" + text)), bits(-expected)) << "-" << text;
}

// With a point or an exponent, so that JSON has no integer in it.
std::string real_text(std::string digits) {
  return digits.find_first_of(".e") == std::string::npos ? digits + ".0" : digits;
}

std::string shortest(double value) {
  std::array<char, 32> text{};
  const auto end = std::to_chars(text.data(), text.data() + text.size(), value).ptr;
  return real_text({text.data(), end});
}

std::string seventeen_digits(double value) {
  std::array<char, 32> text{};
  const int size = std::snprintf(text.data(), text.size(), "%.17g", value);
  return real_text({text.data(), static_cast<std::size_t>(size)});
}

TEST(JsonValue, random_doubles_read_back_bit_by_bit) {
  std::mt19937_64 random(5);
  std::uniform_real_distribution<double> unit(-1, 1);
  for (int i = 0; i < 10'000; ++i) {
    const double any = std::bit_cast<double>(random());
    for (const double value : {std::isfinite(any) ? any : 0.5, unit(random)}) {
      ASSERT_EQ(bits(double_of(shortest(value))), bits(value)) << shortest(value);
      ASSERT_EQ(bits(double_of(seventeen_digits(value))), bits(value)) << seventeen_digits(value);
    }
  }
}

TEST(JsonValue, numbers_at_the_edges_are_the_nearest_doubles) {
  expect_exact("0.036712383142708804", 0.036712383142708804);
  expect_exact("0.30000000000000004", 0.1 + 0.2);
  expect_exact("0.0", 0.0);
  expect_exact("0e400", 0.0);
  expect_exact("0.0e-400", 0.0);
  expect_exact("1e22", 1e22);
  expect_exact("1e23", 1e23);
  expect_exact("1E+23", 1e23);
  expect_exact("9007199254740991.0", 9007199254740991.0);
  expect_exact("9007199254740992.0", 9007199254740992.0);
  expect_exact("9007199254740993.0", 9007199254740992.0);  // half-way: to the even one
  expect_exact("9007199254740993.00000000000000000001", 9007199254740994.0);
  expect_exact("9007199254740995.0", 9007199254740996.0);
  expect_exact("1.7976931348623157e308", Limits::max());
  expect_exact("1.7976931348623158e308", Limits::max());
  expect_exact("2.2250738585072014e-308", Limits::min());
  expect_exact("2.2250738585072011e-308", 2.2250738585072011e-308);
  expect_exact("4.9406564584124654e-324", Limits::denorm_min());
  expect_exact("3e-324", Limits::denorm_min());
  expect_exact("123456789e-330", 123456789e-330);
}

TEST(JsonValue, no_mantissa_is_too_long) {
  const std::string half = "1.00000000000000011102230246251565404236316680908203125";  // 1 + 2^-53
  expect_exact(half, 1.0);
  expect_exact(half + std::string(800, '0'), 1.0);
  expect_exact(half + std::string(800, '0') + "1", 1.0 + Limits::epsilon());
  expect_exact("0." + std::string(800, '3'), 1.0 / 3);
  expect_exact("0." + std::string(400, '0') + "1e401", 1.0);
  expect_exact("1" + std::string(400, '0') + "e-400", 1.0);
  expect_exact("1" + std::string(400, '0') + ".5e-400", 1.0);
}

TEST(JsonValue, what_no_double_reaches_is_infinite_or_zero) {
  constexpr double kInfinity = Limits::infinity();
  for (const char* text : {"1e400", "1e2147483647", "1.8e308", "17976931348623159e292"}) {
    expect_exact(text, kInfinity);
  }
  expect_exact("1" + std::string(400, '0'), kInfinity);
  expect_exact("1" + std::string(500, '0') + "e-10", kInfinity);
  for (const char* text : {"1e-400", "2e-324", "1e-2147483647"}) expect_exact(text, 0.0);
  expect_exact("0." + std::string(400, '0') + "1", 0.0);
  expect_exact("0." + std::string(500, '0') + "1e+10", 0.0);
}

TEST(JsonValue, integers_are_what_boost_makes_of_them) {
  EXPECT_EQ(value_of("9223372036854775807"), json::value(INT64_MAX));
  EXPECT_EQ(value_of("-9223372036854775808"), json::value(INT64_MIN));
  EXPECT_TRUE(value_of("9223372036854775808").is_uint64());
  EXPECT_EQ(value_of("18446744073709551615"), json::value(UINT64_MAX));
  EXPECT_TRUE(value_of("-0").is_int64());
  EXPECT_EQ(double_of("18446744073709551616"), 18446744073709551616.0);
  EXPECT_EQ(double_of("-9223372036854775809"), -9223372036854775808.0);
  EXPECT_EQ(double_of("36893488147419107329"), 36893488147419107328.0 + 8192);
}

TEST(JsonValue, documents_are_as_boost_reads_them) {
  const std::string long_text(10'000, 'x');
  for (const std::string& text : {
           std::string(" {\"a\":[1,-2,{\"b\":null}],\"c\":true,\"\":\"\"} \r\n"),
           std::string(R"("\u00e9\ud83d\ude00\n\"")"),
           std::string("[]"),
           std::string(R"({"a":1,"b":2,"a":3,"a":{"a":4}})"),
           "[\"" + long_text + R"(",{")" + long_text + "\":1.5}]",
       }) {
    EXPECT_EQ(value_of(text), json::parse(text));
  }
  EXPECT_EQ(json::serialize(value_of(R"({"a":1,"b":2,"a":3})")), R"({"a":3,"b":2})");
}

TEST(JsonValue, faults_have_boosts_words) {
  for (const std::string text : {
           "",
           " ",
           "{",
           "[1",
           "[1,]",
           "{\"a\"}",
           "{\"a\":1,}",
           "nul",
           "\"a",
           "\"\\x\"",
           "\"\\ud800\"",
           "\"\xff\"",
           "\"\x01\"",
           "01",
           "1.",
           ".5",
           "+1",
           "-",
           "1e",
           "1e+",
           "NaN",
           "Infinity",
           "1e99999999999",
           "[1] 2",
           "{} x",
           "1 1",
           "/* */ 1",
           "[1]]",
       }) {
    boost::system::error_code error;
    json::parse(text, error);
    ASSERT_TRUE(error) << text;
    const auto value = parse_json_value(text);
    ASSERT_FALSE(value.ok()) << text;
    EXPECT_EQ(value.status().code(), Code::kInvalidArgument);
    EXPECT_EQ(value.status().text(), error.message()) << text;
  }
}

TEST(JsonValue, the_depth_is_bounded) {
  const auto nested = [](std::size_t depth) {
    return std::string(depth, '[') + std::string(depth, ']');
  };
  EXPECT_TRUE(parse_json_value(nested(32)).ok());
  EXPECT_EQ(parse_json_value(nested(33)).status().text(), "too deep");
  EXPECT_TRUE(parse_json_value(nested(2), 2).ok());
  EXPECT_TRUE(parse_json_value("1", 0).ok());
  EXPECT_EQ(parse_json_value(R"({"a":[[]]})", 2).status().text(), "too deep");
}

TEST(JsonValue, the_value_is_in_the_memory_that_is_given) {
  json::monotonic_resource memory;
  const auto value =
      parse_json_value(R"({"a":[0.1,"long enough to be no part of its value"]})", 32, &memory);
  ASSERT_TRUE(value.ok());
  EXPECT_EQ(value->storage().get(), &memory);
  EXPECT_EQ(value->at("a").at(1).storage().get(), &memory);
}

}  // namespace
}  // namespace cortex
