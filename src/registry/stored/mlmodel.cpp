// SPDX-License-Identifier: Apache-2.0
#include "registry/stored/mlmodel.h"

#include <algorithm>

#include <yaml-cpp/yaml.h>

#include "base/json_text.h"
#include "registry/model_config_reader.h"
#include "registry/yaml_guard.h"

namespace cortex::registry {
namespace {

Result<MlModel> read_flavors(const YAML::Node& root) {
  const YAML::Node flavors = root.IsMap() ? root["flavors"] : YAML::Node();
  if (!flavors || !flavors.IsMap()) return invalid_argument("flavors: must be a map");
  MlModel out;
  for (const auto& entry : flavors) {
    if (!entry.first.IsScalar()) return invalid_argument("flavors: keys must be words");
    out.flavors.push_back(entry.first.Scalar());
  }
  std::sort(out.flavors.begin(), out.flavors.end());
  const YAML::Node onnx = flavors["onnx"];
  if (!onnx) return out;
  const YAML::Node data = onnx.IsMap() ? onnx["data"] : YAML::Node();
  if (!data || !data.IsScalar() || !is_inner_path(data.Scalar())) {
    return invalid_argument("flavors.onnx.data: must be the path of a file in this folder");
  }
  out.onnx_file = data.Scalar();
  return out;
}

}  // namespace

Result<MlModel> parse_mlmodel(std::string_view text) {
  if (text.size() > kMlModelBytesMax) {
    return invalid_argument("longer than " + std::to_string(kMlModelBytesMax) + " bytes");
  }
  if (!is_utf8(text)) return invalid_argument("not UTF-8");
  CORTEX_RETURN_IF_ERROR(check_yaml(text));
  try {
    return read_flavors(YAML::Load(std::string(text)));
  } catch (const YAML::Exception& error) {
    return invalid_argument("line " + std::to_string(error.mark.line + 1) + ": " + error.msg);
  }
}

}  // namespace cortex::registry
