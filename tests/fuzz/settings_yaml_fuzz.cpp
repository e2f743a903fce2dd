// SPDX-License-Identifier: Apache-2.0
// The input is cortex.yaml: whatever it says, every fault has a place and a reason, every value is
// one that the reference allows, and what passes does not open the server to others.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/check.h"
#include "config/loader.h"
#include "config/setting_table.h"

using cortex::config::BytesTarget;
using cortex::config::CountTarget;
using cortex::config::Fault;
using cortex::config::ListTarget;
using cortex::config::Loaded;
using cortex::config::Setting;
using cortex::config::Settings;
using cortex::config::TimeTarget;

namespace {

template <typename Ranged>
void check_range(const Setting& setting, Settings& settings) {
  const auto* target = std::get_if<Ranged>(&setting.target);
  if (target == nullptr) return;
  const auto value = target->of(settings);
  CHECK(value >= target->least && value <= target->most, "values are in range");
}

void check_value(const Setting& setting, Settings& settings) {
  check_range<CountTarget>(setting, settings);
  check_range<BytesTarget>(setting, settings);
  check_range<TimeTarget>(setting, settings);
  if (std::holds_alternative<ListTarget>(setting.target)) return;
  const std::string text = value_text(setting, settings);
  static Settings again;
  CHECK(assign(setting, again, std::vector{text}).ok(), "what is shown can be said");
  CHECK(value_text(setting, again) == text, "and means the same");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  Loaded loaded = cortex::config::load_text(text, "cortex.yaml");
  for (const Fault& fault : loaded.faults) {
    CHECK(!fault.where.empty() && !fault.text.empty(), "a fault has a place and a reason");
    CHECK(fault.where.size() <= 1000, "a place is short");
  }
  for (const Setting& setting : cortex::config::setting_table()) {
    check_value(setting, loaded.settings);
  }
  if (!loaded.ok()) return 0;
  const auto& auth = loaded.settings.auth;
  CHECK(
      !auth.api_keys.empty() || !auth.keys_file.empty() || auth.insecure ||
          cortex::config::is_loopback(loaded.settings.http.host),
      "without keys it listens on loopback"
  );
  return 0;
}
