// SPDX-License-Identifier: Apache-2.0
#include "registry/adapters/adapter.h"

#include <algorithm>
#include <cmath>

#include "base/json_text.h"
#include "request/model_reference.h"

namespace cortex::registry {
namespace {

bool is_text(std::string_view text, std::size_t bytes_max) {
  return text.size() <= bytes_max && is_utf8(text) && text.find('\0') == std::string_view::npos;
}

Status refuse_field(std::string_view field, std::string_view why) {
  return invalid_argument("'" + std::string(field) + "' " + std::string(why))
      .with_field(std::string(field));
}

Status check_tags(const std::map<std::string, std::string>& tags) {
  if (tags.size() > kAdapterTagsMax) {
    return refuse_field("tags", "has more than " + std::to_string(kAdapterTagsMax) + " entries");
  }
  for (const auto& [key, value] : tags) {
    if (key.empty() || !is_text(key, kAdapterTagBytesMax) || !is_text(value, kAdapterTagBytesMax)) {
      return refuse_field(
          "tags", "holds a key or value over " + std::to_string(kAdapterTagBytesMax) + " bytes"
      );
    }
  }
  return {};
}

Status check_method(const std::string& method, std::span<const std::string> methods) {
  if (!is_text(method, kAdapterTagBytesMax)) return refuse_field("training_method", "is too long");
  if (methods.empty() || std::ranges::find(methods, method) != methods.end()) return {};
  std::string known;
  for (const std::string& each : methods) known.append(known.empty() ? "" : ", ").append(each);
  const std::string said = method.empty() ? "is missing" : "'" + method + "' is not allowed";
  return refuse_field("training_method", said + ": this server takes " + known);
}

}  // namespace

Status check_adapter(const AdapterRecord& adapter, std::span<const std::string> methods) {
  if (!is_model_name(adapter.name) || !is_utf8(adapter.name)) {
    return refuse_field("name", "is no name of an adapter");
  }
  if (!is_model_name(adapter.base_model) || !is_utf8(adapter.base_model)) {
    return refuse_field("base_model", "is no name of a model");
  }
  if (adapter.path.empty()) return refuse_field("path", "is missing");
  if (!is_text(adapter.path, kAdapterPathBytesMax)) {
    return refuse_field("path", "is longer than " + std::to_string(kAdapterPathBytesMax));
  }
  if (!is_text(adapter.description, kAdapterDescriptionBytesMax)) {
    return refuse_field("description", "is too long");
  }
  if (!std::isfinite(adapter.scale) || std::abs(adapter.scale) > kAdapterScaleMax) {
    return refuse_field("scale", "is no number between -100 and 100");
  }
  if (adapter.rank < 0 || adapter.rank > 65536) return refuse_field("rank", "is out of range");
  if (!std::isfinite(adapter.alpha)) return refuse_field("alpha", "is no number");
  CORTEX_RETURN_IF_ERROR(check_tags(adapter.tags));
  return check_method(adapter.training_method, methods);
}

std::string adapter_identity(const AdapterRecord& adapter) {
  return adapter.name + "@" + adapter.digest;
}

}  // namespace cortex::registry
