// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace cortex::registry {

// What is remembered of a version's probation.
struct ProbationVerdict {
  bool passed = false;
  std::string reason = {};  // why it did not pass
  // The limits that it did not stay within; empty: it did not fail by one. Other limits, another
  // probation.
  std::string limits = {};
  std::uint64_t resident_bytes = 0;  // that the version added; 0: not known
  std::uint64_t peak_bytes = 0;

  bool operator==(const ProbationVerdict&) const = default;
};

enum class ProbationStep : std::uint8_t {
  kAdmit,   // it passed before: load it
  kRefuse,  // it brought a process down before: leave it alone
  kTry,     // in a process of its own
};

// What to do with a version that is to be loaded: `asked` says that somebody asked for it by name.
// Pure.
[[nodiscard]] ProbationStep next_step(
    const std::optional<ProbationVerdict>& remembered, bool asked, const std::string& limits
);

}  // namespace cortex::registry
