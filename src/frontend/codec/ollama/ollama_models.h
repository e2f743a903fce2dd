// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "registry/handle.h"

namespace cortex::frontend::ollama {

// What Ollama's clients can do something with: language models, and models that embed texts.
[[nodiscard]] bool is_listed(const registry::ServingVersion& version);

// How a model is listed.
struct Listing {
  std::string name;
  std::int64_t changed_ms = 0;                // where nobody knows when its file changed
  std::optional<std::uint64_t> memory_bytes;  // of one that is listed as running; 0: not known
};

// One model of /api/tags, or, where it is listed as running, of /api/ps.
[[nodiscard]] std::string listed_text(
    const registry::ServingVersion& version, const Listing& listing
);

// The answer of /api/show.
[[nodiscard]] std::string shown_text(
    const registry::ServingVersion& version, std::int64_t changed_ms
);

// A number of parameters for people: "134.52M", "8B".
[[nodiscard]] std::string parameter_size(std::uint64_t parameters);

}  // namespace cortex::frontend::ollama
