// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>

#include "request/model_facts.h"

namespace cortex::app {

// Fills in what the files of a version say: the bytes of its folder, and of the model file its last
// change and its digest. What cannot be read is left as it is: no load fails for it. Takes
// milliseconds; runs on loader threads.
void add_file_facts(
    const std::filesystem::path& folder, const std::filesystem::path& model_file, ModelFacts& facts
);

}  // namespace cortex::app
