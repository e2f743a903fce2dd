// SPDX-License-Identifier: Apache-2.0
#include "registry/adapters/adapter.h"

#include <functional>
#include <limits>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace cortex::registry {
namespace {

AdapterRecord good() {
  AdapterRecord out;
  out.name = "poet";
  out.base_model = "base";
  out.path = "poet.gguf";
  out.digest = "d1";
  return out;
}

TEST(Adapter, names_the_field_that_cannot_be_registered) {
  struct Case {
    std::string field;
    std::function<void(AdapterRecord&)> spoil;
  };
  const std::vector<Case> cases = {
      {"name", [](AdapterRecord& a) { a.name = ""; }},
      {"name", [](AdapterRecord& a) { a.name = "a+b"; }},
      {"name", [](AdapterRecord& a) { a.name = "a@b"; }},
      {"name", [](AdapterRecord& a) { a.name = "../a"; }},
      {"name", [](AdapterRecord& a) { a.name = "a\xFF"; }},
      {"base_model", [](AdapterRecord& a) { a.base_model = "base@1"; }},
      {"path", [](AdapterRecord& a) { a.path = ""; }},
      {"path", [](AdapterRecord& a) { a.path.assign(501, 'p'); }},
      {"path", [](AdapterRecord& a) { a.path = std::string("a\0b", 3); }},
      {"scale", [](AdapterRecord& a) { a.scale = std::numeric_limits<double>::quiet_NaN(); }},
      {"scale", [](AdapterRecord& a) { a.scale = -101; }},
      {"rank", [](AdapterRecord& a) { a.rank = -1; }},
      {"alpha", [](AdapterRecord& a) { a.alpha = std::numeric_limits<double>::infinity(); }},
      {"description", [](AdapterRecord& a) { a.description.assign(5001, 'd'); }},
      {"tags", [](AdapterRecord& a) { a.tags[""] = "x"; }},
      {"tags", [](AdapterRecord& a) { a.tags["x"].assign(1001, 'x'); }},
  };
  ASSERT_TRUE(check_adapter(good(), {}).ok());
  for (const auto& [field, spoil] : cases) {
    AdapterRecord adapter = good();
    spoil(adapter);
    const Status status = check_adapter(adapter, {});
    EXPECT_EQ(status.code(), Code::kInvalidArgument) << field;
    EXPECT_EQ(status.field(), field) << status.text();
  }
}

TEST(Adapter, only_allowed_training_methods_are_registered) {
  const std::vector<std::string> methods = {"sft", "dpo"};
  AdapterRecord adapter = good();
  EXPECT_EQ(check_adapter(adapter, methods).field(), "training_method");
  adapter.training_method = "scraped";
  EXPECT_EQ(
      check_adapter(adapter, methods).text(),
      "'training_method' 'scraped' is not allowed: this server takes sft, dpo"
  );
  EXPECT_TRUE(check_adapter(adapter, {}).ok());
  adapter.training_method = "dpo";
  EXPECT_TRUE(check_adapter(adapter, methods).ok());
}

TEST(Adapter, another_file_is_another_identity) {
  AdapterRecord other = good();
  other.digest = "d2";
  EXPECT_NE(adapter_identity(good()), adapter_identity(other));
  other.digest = "d1";
  other.description = "the same file";
  EXPECT_EQ(adapter_identity(good()), adapter_identity(other));
}

}  // namespace
}  // namespace cortex::registry
