// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>
#include <vector>

#include <yaml-cpp/yaml.h>

#include "config/loader.h"

namespace cortex::config::detail {

// A file of one YAML document (JSON is YAML too).
struct YamlDocument {
  YAML::Node root;  // null for an empty text, and where there are faults
  std::vector<Fault> faults;
};

// What is not YAML, more than one document, and aliases, with which a few lines unfold into
// gigabytes, are faults. `name` is for messages. Never throws.
[[nodiscard]] YamlDocument read_document(std::string_view yaml, std::string_view name);

}  // namespace cortex::config::detail
