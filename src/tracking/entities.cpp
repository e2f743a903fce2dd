// SPDX-License-Identifier: Apache-2.0
#include "tracking/entities.h"

#include <array>

namespace cortex::tracking {
namespace {

constexpr std::array<std::string_view, 5> kRunStatuses = {
    "RUNNING", "SCHEDULED", "FINISHED", "FAILED", "KILLED"
};
constexpr std::array<std::string_view, 3> kModelStatuses = {"PENDING", "READY", "FAILED"};

template <typename Enum, std::size_t kSize>
std::optional<Enum> parse(const std::array<std::string_view, kSize>& names, std::string_view name) {
  for (std::size_t i = 0; i < kSize; ++i) {
    if (names[i] == name) return static_cast<Enum>(i + 1);
  }
  return std::nullopt;
}

}  // namespace

std::string_view run_status_name(RunStatus status) {
  return kRunStatuses.at(static_cast<std::size_t>(status) - 1);
}

std::optional<RunStatus> parse_run_status(std::string_view name) {
  return parse<RunStatus>(kRunStatuses, name);
}

std::string_view model_status_name(ModelStatus status) {
  return kModelStatuses.at(static_cast<std::size_t>(status) - 1);
}

std::optional<ModelStatus> parse_model_status(std::string_view name) {
  return parse<ModelStatus>(kModelStatuses, name);
}

}  // namespace cortex::tracking
