// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "base/status.h"

namespace cortex::app {

// Makes a data folder of what `cortex backup` wrote. Everything is unpacked beside its place and
// checked first (the digest of every byte, the database's own integrity, that its schema is known),
// then moved there. What it found, to show. kFailedPrecondition: the folder is in use or holds a
// database or artifacts. kDataLoss: the backup is broken; the folder is as it was. Blocks.
[[nodiscard]] Result<std::string> restore(const std::string& file, const std::string& data);

}  // namespace cortex::app
