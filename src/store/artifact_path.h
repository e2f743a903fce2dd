// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string_view>
#include <utility>

#include "base/status.h"

namespace cortex::store {

inline constexpr std::size_t kArtifactPathBytesMax = 1024;
inline constexpr std::size_t kArtifactPathPartsMax = 64;

// Paths of artifacts are names in a table, never of a file system here, but clients make files of
// them: relative, '/' between parts, no empty part, no "." or "..", no control character, no '\\',
// no drive letter, valid UTF-8, within the limits above; and the same for what percent-decoding
// would make of it, since some client will decode once more. kInvalidArgument says what is wrong.
[[nodiscard]] Status check_artifact_path(std::string_view path);

// {"a/b", "c"} of "a/b/c"; {"", "c"} of "c".
[[nodiscard]] std::pair<std::string_view, std::string_view> split_artifact_path(
    std::string_view path
);

}  // namespace cortex::store
