// SPDX-License-Identifier: Apache-2.0
#include "frontend/codec/adapters/adapter_request.h"

#include <utility>

#include "frontend/codec/detail/request_fields.h"

namespace cortex::frontend::adapters {
namespace {

using simdjson::ondemand::value;

constexpr std::int64_t kRankMax = 65536;
// What the API says where a registration says nothing.
constexpr std::int64_t kUsualRank = 64;
constexpr double kUsualAlpha = 16;

template <typename Read>
Status read_body(std::string_view body, Read&& read) {
  HotJson json(body);
  simdjson::ondemand::object object;
  CORTEX_RETURN_IF_ERROR(json.object(object));
  CORTEX_RETURN_IF_ERROR(for_each_field(object, [&](std::string_view key, value field) -> Status {
    bool null = false;
    if (const auto error = field.is_null().get(null)) return malformed_json(error);
    return null ? Status() : with_field_name(read(key, field), key);
  }));
  return json.at_end();
}

Status read_tags(value field, std::map<std::string, std::string>& out) {
  return for_each_given(field, "tags", [&](std::string_view key, value tag) -> Status {
    if (out.size() >= registry::kAdapterTagsMax) return field_error("tags", "smaller");
    return read_text(tag, "tags." + std::string(key), out[std::string(key)]);
  });
}

Status read_registration_field(std::string_view key, value field, registry::AdapterRecord& out) {
  if (key == "name") return read_text(field, key, out.name);
  if (key == "base_model") return read_text(field, key, out.base_model);
  if (key == "path") return read_text(field, key, out.path);
  if (key == "rank") return read_between(field, key, {1, kRankMax}, out.rank);
  if (key == "alpha") return read_number(field, key, out.alpha);
  if (key == "scale") return read_number(field, key, out.scale);
  if (key == "pinned") return read_bool(field, key, out.pinned);
  if (key == "training_method") return read_text(field, key, out.training_method);
  if (key == "description") return read_text(field, key, out.description);
  if (key == "tags") return read_tags(field, out.tags);
  return unknown_field(key);
}

}  // namespace

Result<registry::AdapterRecord> read_registration(std::string_view padded_body) {
  registry::AdapterRecord out;
  out.rank = kUsualRank;
  out.alpha = kUsualAlpha;
  CORTEX_RETURN_IF_ERROR(read_body(padded_body, [&](std::string_view key, value field) {
    return read_registration_field(key, field, out);
  }));
  if (out.name.empty()) return missing_field("name");
  if (out.base_model.empty()) return missing_field("base_model");
  if (out.path.empty()) return missing_field("path");
  return out;
}

Result<AdapterSwap> read_swap(std::string_view padded_body) {
  AdapterSwap out;
  CORTEX_RETURN_IF_ERROR(read_body(padded_body, [&](std::string_view key, value field) {
    if (key == "old_name") return read_text(field, key, out.old_name);
    if (key == "new_name") return read_text(field, key, out.new_name);
    return unknown_field(key);
  }));
  if (out.old_name.empty()) return missing_field("old_name");
  if (out.new_name.empty()) return missing_field("new_name");
  return out;
}

Result<VllmLoad> read_vllm_load(std::string_view padded_body) {
  VllmLoad out;
  CORTEX_RETURN_IF_ERROR(read_body(padded_body, [&](std::string_view key, value field) {
    if (key == "lora_name") return read_text(field, key, out.name);
    if (key == "lora_path") return read_text(field, key, out.path);
    if (key == "base_model" || key == "base_model_name") {
      return read_text(field, key, out.base_model);
    }
    if (key == "load_inplace") return read_bool(field, key, out.in_place);
    return skip_value(field);
  }));
  if (!out.name.empty() && !out.path.empty()) return out;
  return invalid_argument("Both 'lora_name' and 'lora_path' must be provided.");
}

Result<std::string> read_vllm_unload(std::string_view padded_body) {
  std::string out;
  CORTEX_RETURN_IF_ERROR(read_body(padded_body, [&](std::string_view key, value field) {
    return key == "lora_name" ? read_text(field, key, out) : skip_value(field);
  }));
  if (!out.empty()) return out;
  return invalid_argument("'lora_name' needs to be provided to unload a LoRA adapter.");
}

}  // namespace cortex::frontend::adapters
