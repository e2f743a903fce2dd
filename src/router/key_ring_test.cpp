// SPDX-License-Identifier: Apache-2.0
#include "router/key_ring.h"

#include <map>
#include <string>

#include <gtest/gtest.h>

namespace cortex::router {
namespace {

// The digest is that of "test".
config::KeyEntry test_entry() {
  auto file = config::parse_keys(
      "- {name: ci, tenant: acme, scopes: [read, infer], sha256: "
      "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08}",
      "keys"
  );
  return file.keys.at(0);
}

TEST(KeyRing, lets_everybody_in_without_keys) {
  const KeyRing ring({}, {});
  EXPECT_TRUE(ring.open());
  ASSERT_TRUE(ring.authenticate("", "").ok());
  EXPECT_TRUE(includes(ring.authenticate("", "")->scopes, Scope::kAdmin));
}

TEST(KeyRing, knows_a_principal_by_the_digest_of_its_key) {
  const KeyRing ring({test_entry()}, {});
  for (const auto& found :
       {ring.authenticate("Bearer test", ""),
        ring.authenticate("bearer  test", ""),
        ring.authenticate("", "test")}) {
    ASSERT_TRUE(found.ok());
    EXPECT_EQ(found->tenant, "acme");
    EXPECT_EQ(found->key, "ci");
    EXPECT_TRUE(includes(found->scopes, Scope::kInfer));
    EXPECT_FALSE(includes(found->scopes, Scope::kAdmin));
  }
}

TEST(KeyRing, a_principal_has_its_keys_class_and_weight) {
  config::KeyEntry entry = test_entry();
  EXPECT_EQ(KeyRing({entry}, {}).authenticate("", "test")->weight, 1);
  entry.weight = 3;
  for (const auto& [name, wanted] : std::map<std::string, PriorityClass>{
           {"high", PriorityClass::kHigh},
           {"normal", PriorityClass::kNormal},
           {"low", PriorityClass::kLow},
           {"background", PriorityClass::kBackground}
       }) {
    entry.priority_class = name;
    const auto found = KeyRing({entry}, {}).authenticate("", "test");
    ASSERT_TRUE(found.ok());
    EXPECT_EQ(found->priority_class, wanted) << name;
    EXPECT_EQ(found->weight, 3);
  }
}

TEST(KeyRing, refuses_a_missing_an_unknown_and_a_differently_sent_key) {
  const KeyRing ring({test_entry()}, {});
  EXPECT_EQ(ring.authenticate("", "").status().code(), Code::kUnauthenticated);
  EXPECT_EQ(ring.authenticate("Bearer tes", "").status().code(), Code::kUnauthenticated);
  EXPECT_EQ(ring.authenticate("Bearer test2", "").status().code(), Code::kUnauthenticated);
  EXPECT_EQ(ring.authenticate("Basic test", "").status().code(), Code::kUnauthenticated);
  EXPECT_EQ(ring.authenticate("Bearer ", "").status().code(), Code::kUnauthenticated);
}

TEST(KeyRing, grants_every_scope_to_plain_keys_beside_those_of_a_file) {
  const KeyRing ring({test_entry()}, {"first", "second"});
  const auto found = ring.authenticate("Bearer second", "");
  ASSERT_TRUE(found.ok());
  EXPECT_EQ(found->key, "api-key-2");
  EXPECT_TRUE(includes(found->scopes, Scope::kAdmin));
  EXPECT_TRUE(ring.authenticate("Bearer test", "").ok());
}

}  // namespace
}  // namespace cortex::router
