// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace cortex::config {

// All settings as Markdown, from the table: what `cortex config reference` prints and
// docs/configuration.md holds.
[[nodiscard]] std::string reference_markdown();

}  // namespace cortex::config
