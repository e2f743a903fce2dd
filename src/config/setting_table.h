// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/status.h"
#include "config/settings.h"

namespace cortex::config {

// Where a value lives in Settings and what it may be, by kind.
struct TextTarget {
  std::string& (*of)(Settings&);
};
struct ListTarget {
  // A key is what a client sends in a header: one word.
  enum class Entries : std::uint8_t { kTexts, kKeys };

  std::vector<std::string>& (*of)(Settings&);
  Entries entries = Entries::kTexts;
};
struct SwitchTarget {
  bool& (*of)(Settings&);
};
struct CountTarget {
  std::uint64_t& (*of)(Settings&);
  std::uint64_t least;
  std::uint64_t most;
};
struct BytesTarget {
  std::uint64_t& (*of)(Settings&);
  std::uint64_t least;
  std::uint64_t most;
};
struct TimeTarget {
  std::chrono::milliseconds& (*of)(Settings&);
  std::chrono::milliseconds least;
  std::chrono::milliseconds most;
};
struct ChoiceTarget {
  std::span<const std::string_view> names;
  void (*set)(Settings&, std::size_t index);
  std::size_t (*get)(const Settings&);
};
using Target = std::variant<
    TextTarget,
    ListTarget,
    SwitchTarget,
    CountTarget,
    BytesTarget,
    TimeTarget,
    ChoiceTarget>;

// One thing that can be set. Flags, variables, the check of the file, --help and the reference all
// come from the table of these.
struct Setting {
  std::string_view path;  // in the file: "http.port"
  std::string_view
      flag;  // "--http-port"; empty where there is none (secrets show in process lists)
  std::string_view environment;  // "CORTEX_HTTP_PORT"
  std::string_view description;
  Target target;
};

// In the order of the reference. Lives as long as the process.
[[nodiscard]] std::span<const Setting> setting_table();
[[nodiscard]] const Setting* find_setting(std::string_view path);

// Reads `values` into the setting's member; all kinds but lists take exactly one, and no entry of a
// list is empty. The error says what would be right, and shows no key. Bytes take the suffixes KiB,
// MiB, GiB; times ms, s, m, h, and milliseconds without one.
[[nodiscard]] Status assign(
    const Setting& setting, Settings& settings, std::span<const std::string> values
);

// The setting's value as a file would say it; "" for an empty text, "[]" for an empty list.
[[nodiscard]] std::string value_text(const Setting& setting, const Settings& settings);
// "text", "list", "count", "bytes", "time", "switch", or the choices: "none | poll | explicit".
[[nodiscard]] std::string kind_text(const Setting& setting);
// "1 … 65535"; empty where every value goes.
[[nodiscard]] std::string range_text(const Setting& setting);

}  // namespace cortex::config
