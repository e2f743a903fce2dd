// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "request/model_config.h"

namespace cortex::registry {

// What a configuration text says.
struct ConfigText {
  ModelConfig config;                       // name and backend are empty where the text is silent
  std::vector<std::string> without_effect;  // fields that were accepted and do nothing here
};

// The three forms. Texts are not trusted: size and depth are bounded, and every fault is a
// kInvalidArgument that names all of them with line or field. A field that Cortex knows and cannot
// do is such a fault. Pure. Thread-safe.

// config.pbtxt: protobuf text of proto/model_config.proto.
[[nodiscard]] Result<ConfigText> parse_config_pbtxt(std::string_view text);
// The same message as JSON: what a load request may carry.
[[nodiscard]] Result<ConfigText> parse_config_json(std::string_view text);
// model.yaml: docs/formats/model-folder.md.
[[nodiscard]] Result<ConfigText> parse_model_yaml(std::string_view text);

// Bytes of a configuration text at most.
inline constexpr std::size_t kConfigBytesMax = 1 << 20;

// True for a relative path that stays in its folder: no "..", no leading '/', no control character.
[[nodiscard]] bool is_inner_path(std::string_view path);

}  // namespace cortex::registry
