// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "config/loader.h"

namespace cortex::config::detail {

// One leaf of a settings file, under the names above it: "http.port".
struct YamlEntry {
  std::string path;
  std::string where;  // "cortex.yaml:3: http.port"
  std::vector<std::string> values;
  bool is_list = false;
};

struct YamlFile {
  std::vector<YamlEntry> entries;
  std::vector<Fault> faults;  // of the form: not YAML, a name twice, a map where a value belongs
};

// Flattens a settings file (JSON is YAML too). Never throws.
[[nodiscard]] YamlFile read_settings(std::string_view yaml, std::string_view name);

}  // namespace cortex::config::detail
