// SPDX-License-Identifier: Apache-2.0
#include "registry/catalog/canonical_json.h"

#include <bit>
#include <string>
#include <utility>

#include <gtest/gtest.h>

namespace cortex::registry {
namespace {

std::string canonical(std::string_view json) {
  auto text = canonical_json(json);
  return text.ok() ? *text : "refused: " + text.status().text();
}

bool refuses(std::string_view json) { return !canonical_json(json).ok(); }

// The vectors of RFC 8785: sections 3.2.2 to 3.2.4, and appendix B for numbers.
TEST(CanonicalJson, writes_the_example_of_the_rfc) {
  constexpr std::string_view kInput = R"({
    "numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
    "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/",
    "literals": [null, true, false]
  })";
  EXPECT_EQ(
      canonical(kInput),
      "{\"literals\":[null,true,false],"
      "\"numbers\":[333333333.3333333,1e+30,4.5,0.002,1e-27],"
      "\"string\":\"\xE2\x82\xAC$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\"}"
  );
}

TEST(CanonicalJson, orders_names_by_their_utf16_units) {
  constexpr std::string_view kInput = R"({
    "\u20ac": "Euro Sign", "\r": "Carriage Return", "\ufb33": "Hebrew Letter Dalet With Dagesh",
    "1": "One", "\ud83d\ude00": "Emoji: Grinning Face", "\u0080": "Control",
    "\u00f6": "Latin Small Letter O With Diaeresis"
  })";
  EXPECT_EQ(
      canonical(kInput),
      "{\"\\r\":\"Carriage Return\",\"1\":\"One\",\"\xC2\x80\":\"Control\","
      "\"\xC3\xB6\":\"Latin Small Letter O With Diaeresis\",\"\xE2\x82\xAC\":\"Euro Sign\","
      "\"\xF0\x9F\x98\x80\":\"Emoji: Grinning Face\","
      "\"\xEF\xAC\xB3\":\"Hebrew Letter Dalet With Dagesh\"}"
  );
}

TEST(CanonicalJson, writes_numbers_as_ecmascript_does) {
  const std::pair<std::uint64_t, std::string_view> kVectors[] = {
      {0x0000000000000000, "0"},
      {0x8000000000000000, "0"},
      {0x0000000000000001, "5e-324"},
      {0x8000000000000001, "-5e-324"},
      {0x7fefffffffffffff, "1.7976931348623157e+308"},
      {0xffefffffffffffff, "-1.7976931348623157e+308"},
      {0x4340000000000000, "9007199254740992"},
      {0xc340000000000000, "-9007199254740992"},
      {0x4430000000000000, "295147905179352830000"},
      {0x44b52d02c7e14af5, "9.999999999999997e+22"},
      {0x44b52d02c7e14af6, "1e+23"},
      {0x44b52d02c7e14af7, "1.0000000000000001e+23"},
      {0x444b1ae4d6e2ef4e, "999999999999999700000"},
      {0x444b1ae4d6e2ef4f, "999999999999999900000"},
      {0x444b1ae4d6e2ef50, "1e+21"},
      {0x3eb0c6f7a0b5ed8c, "9.999999999999997e-7"},
      {0x3eb0c6f7a0b5ed8d, "0.000001"},
      {0x41b3de4355555553, "333333333.3333332"},
      {0x41b3de4355555554, "333333333.33333325"},
      {0x41b3de4355555555, "333333333.3333333"},
      {0x41b3de4355555556, "333333333.3333334"},
      {0x41b3de4355555557, "333333333.33333343"},
      {0xbecbf647612f3696, "-0.0000033333333333333333"},
      {0x43143ff3c1cb0959, "1424953923781206.2"},
  };
  for (const auto& [bits, text] : kVectors) {
    std::string out;
    append_canonical_number(out, std::bit_cast<double>(bits));
    EXPECT_EQ(out, text) << std::hex << bits;
  }
}

TEST(CanonicalJson, keeps_the_order_of_lists_and_orders_every_object) {
  EXPECT_EQ(
      canonical(R"([56, {"d": true, "10": null, "1": []}])"), R"([56,{"1":[],"10":null,"d":true}])"
  );
  EXPECT_EQ(
      canonical(R"({"peach":1,"p\u00eache":2,"sin":3,"":{}})"),
      "{\"\":{},\"peach\":1,\"p\xC3\xAA"
      "che\":2,\"sin\":3}"
  );
}

TEST(CanonicalJson, takes_single_values_and_white_space_around_them) {
  EXPECT_EQ(canonical(" 1.0 "), "1");
  EXPECT_EQ(canonical("\"a\\/b\""), "\"a/b\"");
  EXPECT_EQ(canonical("1e-400"), "0");
  EXPECT_EQ(canonical("0." + std::string(500, '0') + "1e+10"), "0");
  EXPECT_EQ(canonical("0." + std::string(400, '0') + "1e+401"), "1");
  EXPECT_EQ(canonical("-0"), "0");
}

TEST(CanonicalJson, refuses_what_has_no_canonical_form) {
  EXPECT_TRUE(refuses(R"({"a":1,"a":2})"));
  EXPECT_TRUE(refuses(R"({"a":1,"\u0061":2})"));
  EXPECT_TRUE(refuses("1e400"));
  EXPECT_TRUE(refuses("1" + std::string(500, '0') + "e-10"));
  EXPECT_TRUE(refuses("\"\xFF\""));
  EXPECT_TRUE(refuses("\"\\ud800\""));
  EXPECT_TRUE(refuses("{\"a\":1} x"));
  EXPECT_TRUE(refuses("{\"a\":"));
  EXPECT_TRUE(refuses(""));
  EXPECT_TRUE(refuses("NaN"));
}

TEST(CanonicalJson, bounds_the_depth) {
  EXPECT_EQ(canonical("[[[]]]"), "[[[]]]");
  EXPECT_TRUE(refuses(std::string(100, '[') + std::string(100, ']')));
}

}  // namespace
}  // namespace cortex::registry
