// SPDX-License-Identifier: Apache-2.0
// The input is a key file: whatever it says, every fault has a place and a reason, and without one
// every key is whole and told apart from the others.
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "base/check.h"
#include "config/keys.h"

using cortex::config::Fault;
using cortex::config::KeyEntry;
using cortex::config::KeyFile;

namespace {

constexpr std::uint64_t kLimitMax = 1'000'000'000;

void check_key(const KeyEntry& key) {
  CHECK(!key.name.empty() && !key.tenant.empty() && !key.workspace.empty(), "nothing is nameless");
  CHECK(!key.scopes.empty(), "a key is for something");
  for (const std::string& scope : key.scopes) {
    CHECK(scope == "read" || scope == "infer" || scope == "admin", "there are three scopes");
  }
  const std::string& name = key.priority_class;
  CHECK(
      name == "high" || name == "normal" || name == "low" || name == "background",
      "there are four classes"
  );
  CHECK(
      key.weight >= cortex::config::kKeyWeightMin && key.weight <= cortex::config::kKeyWeightMax,
      "weights are in range"
  );
  for (const std::optional<std::uint64_t>& limit :
       {key.limits.requests_per_minute, key.limits.tokens_per_minute, key.limits.concurrent_requests
       }) {
    CHECK(!limit || *limit <= kLimitMax, "limits are in range");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const KeyFile file = cortex::config::parse_keys(text, "keys.yaml");
  for (const Fault& fault : file.faults) {
    CHECK(fault.where.starts_with("keys.yaml"), "a fault has a place");
    CHECK(!fault.text.empty(), "a fault has a reason");
  }
  if (!file.faults.empty()) return 0;
  std::set<std::string> names;
  std::set<std::array<std::uint8_t, 32>> digests;
  for (const KeyEntry& key : file.keys) {
    check_key(key);
    CHECK(names.insert(key.name).second, "names are unique");
    CHECK(digests.insert(key.sha256).second, "digests are unique");
  }
  return 0;
}
