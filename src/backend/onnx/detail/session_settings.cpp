// SPDX-License-Identifier: Apache-2.0
#include "backend/onnx/detail/session_settings.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <string_view>

namespace cortex::backend {
namespace {

constexpr int kThreadsMax = 1024;

Status bad_value(std::string_view name, std::string_view value, std::string_view wanted) {
  return invalid_argument(
      "parameter '" + std::string(name) + "': '" + std::string(value) + "' is not " +
      std::string(wanted)
  );
}

std::optional<int> number(std::string_view text, int least, int most) {
  int out = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  if (out < least || out > most) return std::nullopt;
  return out;
}

Status read_threads(std::string_view name, std::string_view value, int& out) {
  const auto threads = number(value, 0, kThreadsMax);
  if (!threads) return bad_value(name, value, "a number of threads");
  // 0 leaves the choice to the library, which would take every core: the budget decides instead.
  if (*threads > 0) out = *threads;
  return {};
}

Status read_flag(std::string_view name, std::string_view value, bool& out) {
  const auto flag = number(value, 0, 1);
  if (!flag) return bad_value(name, value, "0 or 1");
  out = *flag == 1;
  return {};
}

Status read_level(std::string_view name, std::string_view value, OptimizationLevel& out) {
  constexpr std::array<std::string_view, 4> kNames = {"disable", "basic", "extended", "all"};
  const auto at = std::find(kNames.begin(), kNames.end(), value);
  if (at == kNames.end()) return bad_value(name, value, "disable, basic, extended or all");
  out = static_cast<OptimizationLevel>(at - kNames.begin());
  return {};
}

bool is_library_key(std::string_view name) {
  return name.substr(0, 8) == "session." || name.substr(0, 13) == "optimization.";
}

Status read_one(const std::string& name, const std::string& value, SessionSettings& out) {
  if (name == "intra_op_thread_count") return read_threads(name, value, out.intra_threads);
  if (name == "inter_op_thread_count") return read_threads(name, value, out.inter_threads);
  if (name == "execution_mode") return read_flag(name, value, out.parallel);
  if (name == "graph_optimization_level") return read_level(name, value, out.optimization);
  if (name == "enable_mem_arena") return read_flag(name, value, out.memory_arena);
  if (name == "enable_mem_pattern") return read_flag(name, value, out.memory_pattern);
  if (name == "memory.enable_memory_arena_shrinkage") {
    out.arena_shrinkage = value;
    out.memory_arena = true;
  } else if (is_library_key(name)) {
    out.entries.emplace_back(name, value);
  } else {
    out.unknown.push_back(name);
  }
  return {};
}

}  // namespace

Result<SessionSettings> session_settings(
    const std::map<std::string, std::string>& parameters, std::size_t threads
) {
  SessionSettings out;
  out.intra_threads = static_cast<int>(std::clamp<std::size_t>(threads, 1, kThreadsMax));
  for (const auto& [name, value] : parameters) {
    CORTEX_RETURN_IF_ERROR(read_one(name, value, out));
  }
  return out;
}

}  // namespace cortex::backend
