// SPDX-License-Identifier: Apache-2.0
#include "registry/stored/flat_yaml.h"

#include <yaml-cpp/yaml.h>

#include "base/json_text.h"
#include "registry/stored/mlmodel.h"
#include "registry/yaml_guard.h"

namespace cortex::registry {
namespace {

// Its depth is bounded by check_yaml.
void flatten(
    const YAML::Node& node, const std::string& path, std::map<std::string, std::string>& out
) {
  if (node.IsScalar()) {
    out[path] = node.Scalar();
  } else if (node.IsSequence()) {
    for (std::size_t i = 0; i < node.size(); ++i) {
      flatten(node[i], path + "[" + std::to_string(i) + "]", out);
    }
  } else if (node.IsMap()) {
    for (const auto& entry : node) {
      const std::string key = entry.first.IsScalar() ? entry.first.Scalar() : "?";
      flatten(entry.second, path.empty() ? key : path + "." + key, out);
    }
  }
}

}  // namespace

Result<std::map<std::string, std::string>> flatten_yaml(std::string_view text) {
  if (text.size() > kMlModelBytesMax) {
    return invalid_argument("longer than " + std::to_string(kMlModelBytesMax) + " bytes");
  }
  if (!is_utf8(text)) return invalid_argument("not UTF-8");
  CORTEX_RETURN_IF_ERROR(check_yaml(text));
  std::map<std::string, std::string> out;
  try {
    flatten(YAML::Load(std::string(text)), "", out);
  } catch (const YAML::Exception& error) {
    return invalid_argument("line " + std::to_string(error.mark.line + 1) + ": " + error.msg);
  }
  return out;
}

}  // namespace cortex::registry
