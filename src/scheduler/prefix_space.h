// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "cache/prefix_tree.h"
#include "scheduler/lane_sequence.h"

namespace cortex::scheduler {

// Whose prompts share something with whose. Pure.

// What two of one client's names become, so that no other two become the same.
[[nodiscard]] std::string joined_names(std::string_view first, std::string_view second);

// Where prompts of this owner lie in the prefix tree. `adapter`: null for the base model. An
// adapter that was loaded again is another one.
[[nodiscard]] cache::PrefixSpace prefix_space(
    std::string owner, std::string salt, const NamedAdapter* adapter, float scale
);

// The adapter of such a space in the prefix store, whose states outlive the process: by its
// content. None for one whose content has no name.
[[nodiscard]] std::optional<std::string> stored_adapter(const NamedAdapter& adapter, float scale);

}  // namespace cortex::scheduler
