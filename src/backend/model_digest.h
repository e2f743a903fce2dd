// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string>

#include "base/status.h"

namespace cortex::backend {

// Names a model file for caches that outlive the process, in milliseconds however large it is:
// SHA-256 over its size, the time of its last change, its first and last megabyte and 256 samples
// in between. A file that was changed gets another name by its time; one that was copied may, too,
// which costs a cold cache and never a wrong one. Hexadecimal.
[[nodiscard]] Result<std::string> model_digest(const std::filesystem::path& file);

}  // namespace cortex::backend
