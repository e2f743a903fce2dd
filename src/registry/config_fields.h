// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string_view>

namespace cortex::registry {

// What Cortex makes of a field of config.pbtxt.
enum class FieldUse {
  kUsed,      // does what it says, or fails with the value that cannot be done
  kNoEffect,  // accepted: it only hints, and no answer depends on it here
  kRefused,   // a model that sets it does not load, and the reason names it
};

struct ConfigField {
  std::string_view
      path;  // "dynamic_batching.max_queue_delay_microseconds"; speaks for what is below it, too
  FieldUse use;
  std::string_view note;  // for the owner of the file
};

// The one table of all fields of proto/model_config.proto; docs/formats/model-folder.md shows it.
// Static.
[[nodiscard]] std::span<const ConfigField> config_fields();

// The row that speaks for `path`: its own or that of the nearest field above. Null when there is
// none, which a test excludes for every declared field.
[[nodiscard]] const ConfigField* find_config_field(std::string_view path);

// "used", "no effect", "refused".
[[nodiscard]] std::string_view field_use_name(FieldUse use);

}  // namespace cortex::registry
