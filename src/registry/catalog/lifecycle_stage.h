// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string_view>

#include "base/status.h"

namespace cortex::registry {

// What old clients promote versions with; new ones use aliases.
enum class LifecycleStage : std::uint8_t { kNone, kStaging, kProduction, kArchived };

// "None", "Staging", "Production", "Archived".
[[nodiscard]] std::string_view stage_name(LifecycleStage stage);
// In any case of letters; kInvalidArgument names the four.
[[nodiscard]] Result<LifecycleStage> parse_stage(std::string_view name);

}  // namespace cortex::registry
