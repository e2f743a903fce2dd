// SPDX-License-Identifier: Apache-2.0
#include "backend/llama/detail/llama_settings.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <string_view>

namespace cortex::backend {
namespace {

struct CacheType {
  std::string_view name;
  ggml_type type;
  double bytes;  // of a number, the block's scale included
};
constexpr auto kCacheTypes = std::to_array<CacheType>({
    {"f16", GGML_TYPE_F16, 2},
    {"bf16", GGML_TYPE_BF16, 2},
    {"f32", GGML_TYPE_F32, 4},
    {"q8_0", GGML_TYPE_Q8_0, 1.0625},
    {"q5_1", GGML_TYPE_Q5_1, 0.75},
    {"q5_0", GGML_TYPE_Q5_0, 0.6875},
    {"q4_1", GGML_TYPE_Q4_1, 0.625},
    {"q4_0", GGML_TYPE_Q4_0, 0.5625},
});

Status no_such_value(std::string_view name, std::string_view value, std::string_view wanted) {
  return invalid_argument(
      "parameter '" + std::string(name) + "': '" + std::string(value) + "' is not " +
      std::string(wanted)
  );
}

std::optional<int> whole_number(std::string_view text, int least, int most) {
  int out = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  if (out < least || out > most) return std::nullopt;
  return out;
}

Status read_cache_type(std::string_view name, std::string_view value, ggml_type& out) {
  const auto found =
      std::ranges::find_if(kCacheTypes, [&](const CacheType& type) { return type.name == value; });
  if (found == kCacheTypes.end()) {
    return no_such_value(name, value, "f16, bf16, f32, q8_0, q5_1, q5_0, q4_1 or q4_0");
  }
  out = found->type;
  return {};
}

Status read_flash(std::string_view value, llama_flash_attn_type& out) {
  if (value == "auto") {
    out = LLAMA_FLASH_ATTN_TYPE_AUTO;
  } else if (value == "on") {
    out = LLAMA_FLASH_ATTN_TYPE_ENABLED;
  } else if (value == "off") {
    out = LLAMA_FLASH_ATTN_TYPE_DISABLED;
  } else {
    return no_such_value("flash_attention", value, "auto, on or off");
  }
  return {};
}

Status read_flag(std::string_view name, const std::string& value, bool& out) {
  const auto flag = whole_number(value, 0, 1);
  if (!flag) return no_such_value(name, value, "0 or 1");
  out = *flag == 1;
  return {};
}

Status read_setting(const std::string& name, const std::string& value, LlamaSettings& out) {
  if (name == "flash_attention") return read_flash(value, out.flash_attention);
  if (name == "cache_type_k") return read_cache_type(name, value, out.cache_type_k);
  if (name == "cache_type_v") return read_cache_type(name, value, out.cache_type_v);
  if (name == "gpu_layers") {
    const auto layers = whole_number(value, -1, 100'000);
    if (!layers) return no_such_value(name, value, "a number of layers, or -1 for all");
    out.gpu_layers = *layers;
    return {};
  }
  if (name == "mmap") return read_flag(name, value, out.mmap);
  if (name == "cell_attention") return read_flag(name, value, out.cell_attention);
  if (name == "step_rows") {
    const auto rows = whole_number(value, 256, 4096);
    if (!rows) return no_such_value(name, value, "a number from 256 to 4096");
    out.step_rows = static_cast<std::uint32_t>(*rows);
    return {};
  }
  return invalid_argument(
      "parameter '" + name +
      "' is unknown; known are flash_attention, cell_attention, cache_type_k, cache_type_v, "
      "gpu_layers, mmap and step_rows"
  );
}

}  // namespace

Result<LlamaSettings> llama_settings(const std::map<std::string, std::string>& parameters) {
  LlamaSettings out;
  for (const auto& [name, value] : parameters) {
    CORTEX_RETURN_IF_ERROR(read_setting(name, value, out));
  }
  return out;
}

double bytes_of(ggml_type type) {
  const auto found =
      std::ranges::find_if(kCacheTypes, [&](const CacheType& entry) { return entry.type == type; });
  return found == kCacheTypes.end() ? 4 : found->bytes;
}

}  // namespace cortex::backend
