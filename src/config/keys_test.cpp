// SPDX-License-Identifier: Apache-2.0
#include "config/keys.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cortex::config {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

const std::string kDigest = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

TEST(Keys, reads_yaml_and_json_as_a_list_or_below_keys) {
  for (const std::string& text :
       {"- {name: ci, tenant: acme, workspace: team, scopes: [read, infer], sha256: " + kDigest +
            "}",
        R"({"keys": [{"name": "ci", "tenant": "acme", "workspace": "team", "scopes": ["read", "infer"], "sha256": ")" +
            kDigest + "\"}]}"}) {
    const KeyFile file = parse_keys(text, "keys.yaml");
    ASSERT_TRUE(file.faults.empty()) << fault_text(file.faults);
    ASSERT_EQ(file.keys.size(), 1u);
    EXPECT_EQ(file.keys[0].name, "ci");
    EXPECT_EQ(file.keys[0].tenant, "acme");
    EXPECT_EQ(file.keys[0].workspace, "team");
    EXPECT_THAT(file.keys[0].scopes, ElementsAre("read", "infer"));
    EXPECT_EQ(file.keys[0].sha256[0], 0x9f);
    EXPECT_EQ(file.keys[0].sha256[31], 0x08);
  }
}

TEST(Keys, the_digest_of_an_empty_key_is_refused) {
  const KeyFile file = parse_keys(
      "- {name: ci, scopes: [read], sha256: "
      "E3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855}",
      "k"
  );
  EXPECT_EQ(fault_text(file.faults), "k:1: keys[0]: sha256 is the digest of an empty key\n");
}

TEST(Keys, a_scope_has_the_name_of_a_role_too) {
  const KeyFile file = parse_keys(
      "- {name: ci, scopes: [reader, inference_user, model_admin], sha256: " + kDigest + "}", "k"
  );
  ASSERT_TRUE(file.faults.empty()) << fault_text(file.faults);
  EXPECT_THAT(file.keys[0].scopes, ElementsAre("read", "infer", "admin"));
}

TEST(Keys, a_key_may_have_limits_of_its_own) {
  const KeyFile file = parse_keys(
      "- {name: ci, scopes: [read], sha256: " + kDigest +
          ", limits: {requests_per_minute: 60, tokens_per_minute: 0}}",
      "k"
  );
  ASSERT_TRUE(file.faults.empty()) << fault_text(file.faults);
  const KeyLimits& limits = file.keys[0].limits;
  EXPECT_EQ(limits.requests_per_minute, 60u);
  EXPECT_EQ(limits.tokens_per_minute, 0u) << "lifted, which is not the same as not named";
  EXPECT_FALSE(limits.concurrent_requests);
}

TEST(Keys, a_key_has_a_class_and_a_weight) {
  const auto key_with = [](const std::string& fields) {
    const KeyFile file =
        parse_keys("- {name: ci, scopes: [infer], sha256: " + kDigest + fields + "}", "k");
    EXPECT_TRUE(file.faults.empty()) << fault_text(file.faults);
    return file.keys.at(0);
  };
  EXPECT_EQ(key_with("").priority_class, "normal");
  EXPECT_EQ(key_with("").weight, 1);
  for (const std::string name : {"high", "normal", "low", "background"}) {
    EXPECT_EQ(key_with(", class: " + name).priority_class, name);
  }
  EXPECT_EQ(key_with(", weight: 3").weight, 3);
  EXPECT_EQ(key_with(", weight: 0.01").weight, kKeyWeightMin);
  EXPECT_EQ(key_with(", weight: 1e2").weight, kKeyWeightMax);
}

TEST(Keys, refuses_classes_and_weights_that_are_none) {
  const auto fault_of = [](const std::string& fields) {
    const KeyFile file =
        parse_keys("- {name: ci, scopes: [infer], sha256: " + kDigest + fields + "}", "k");
    return fault_text(file.faults);
  };
  for (const std::string name : {"High", "urgent", "1", "''", "[high]", "~"}) {
    EXPECT_THAT(fault_of(", class: " + name), HasSubstr("is not a class; there are high, normal"));
  }
  for (const std::string weight :
       {"0", "-1", "0.009", "100.1", "1e9", "inf", "nan", "3x", "0x3", "''", "[3]", "~"}) {
    EXPECT_THAT(
        fault_of(", weight: " + weight), HasSubstr("weight must be a number from 0.01 to 100")
    );
  }
}

TEST(Keys, names_every_fault_with_its_line) {
  const KeyFile file = parse_keys(
      "- {name: a, scopes: [root], sha256: 12}\n- {scopes: [read], secret: x}\n- {name: a, scopes: "
      "[read], sha256: " +
          kDigest + ", limits: {requests_per_minute: -1, tokens: 1}}\n",
      "k"
  );
  const std::string text = fault_text(file.faults);
  EXPECT_THAT(text, HasSubstr("k:1: keys[0]: 'root' is not a scope"));
  EXPECT_THAT(text, HasSubstr("k:1: keys[0]: sha256 must be 64 hexadecimal digits"));
  EXPECT_THAT(text, HasSubstr("k:2: keys[1]: 'secret' is not a field of a key"));
  EXPECT_THAT(text, HasSubstr("k:2: keys[1]: needs a name"));
  EXPECT_THAT(text, HasSubstr("k:2: keys[1]: needs sha256"));
  EXPECT_THAT(text, HasSubstr("k:3: keys[2]: the name 'a' is there twice"));
  EXPECT_THAT(
      text, HasSubstr("k:3: keys[2]: limits.requests_per_minute must be a whole number from 0 to")
  );
  EXPECT_THAT(text, HasSubstr("k:3: keys[2]: 'tokens' is not a limit"));
}

TEST(Keys, a_name_that_is_there_twice_or_is_not_known_is_a_fault) {
  const KeyFile file = parse_keys(
      "keys:\n- {name: a, scopes: [read], scopes: [admin], sha256: " + kDigest +
          ", limits: {tokens_per_minute: 1, tokens_per_minute: 2}}\nkeys: []\nkyes: []\n",
      "k"
  );
  const std::string text = fault_text(file.faults);
  EXPECT_THAT(text, HasSubstr("k:2: keys[0]: 'scopes' is there twice"));
  EXPECT_THAT(text, HasSubstr("k:2: keys[0]: 'tokens_per_minute' is there twice"));
  EXPECT_THAT(text, HasSubstr("k:3: 'keys' is there twice"));
  EXPECT_THAT(text, HasSubstr("k:4: 'kyes' is not a field of a key file"));
}

TEST(Keys, two_digests_that_are_none_are_not_the_same) {
  const KeyFile file = parse_keys(
      "- {name: a, scopes: [read], sha256: x}\n- {name: b, scopes: [read], sha256: y}\n", "k"
  );
  EXPECT_EQ(file.faults.size(), 2u) << fault_text(file.faults);
}

TEST(Keys, refuses_aliases_and_a_second_document) {
  const std::string key = "- {name: a, scopes: &s [read], sha256: " + kDigest + "}\n";
  EXPECT_TRUE(parse_keys(key, "k").faults.empty());
  EXPECT_THAT(
      fault_text(parse_keys(key + "- {name: b, scopes: *s}\n", "k").faults),
      HasSubstr("k:2: aliases are not allowed")
  );
  EXPECT_THAT(
      fault_text(parse_keys(key + "---\n[]\n", "k").faults), HasSubstr("one YAML document")
  );
}

TEST(Keys, refuses_what_is_not_a_list) {
  EXPECT_FALSE(parse_keys("", "k").faults.empty());
  EXPECT_FALSE(parse_keys("keys: x", "k").faults.empty());
  EXPECT_FALSE(parse_keys("[[", "k").faults.empty());
}

}  // namespace
}  // namespace cortex::config
