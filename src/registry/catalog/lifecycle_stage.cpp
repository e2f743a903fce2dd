// SPDX-License-Identifier: Apache-2.0
#include "registry/catalog/lifecycle_stage.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <string>

namespace cortex::registry {
namespace {

constexpr std::array<std::string_view, 4> kStageNames = {
    "None", "Staging", "Production", "Archived"
};

bool equal_ignoring_case(std::string_view left, std::string_view right) {
  return std::equal(left.begin(), left.end(), right.begin(), right.end(), [](char a, char b) {
    return std::tolower(static_cast<unsigned char>(a)) ==
           std::tolower(static_cast<unsigned char>(b));
  });
}

}  // namespace

std::string_view stage_name(LifecycleStage stage) {
  return kStageNames[static_cast<std::size_t>(stage)];
}

Result<LifecycleStage> parse_stage(std::string_view name) {
  for (std::size_t i = 0; i < kStageNames.size(); ++i) {
    if (equal_ignoring_case(name, kStageNames[i])) return static_cast<LifecycleStage>(i);
  }
  return invalid_argument(
      "Invalid Model Version stage: " + std::string(name) +
      ". Value must be one of None, Staging, Production, Archived."
  );
}

}  // namespace cortex::registry
