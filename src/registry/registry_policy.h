// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "registry/version_state.h"
#include "request/model_config.h"

namespace cortex::registry {

// A version as its files are now. Other files under the same number are another edition: both may
// be held for a while.
struct Edition {
  std::int64_t version = 0;
  std::uint64_t fingerprint = 0;

  friend auto operator<=>(const Edition&, const Edition&) = default;
};

// One load of an edition.
struct HeldEdition {
  Edition edition;
  VersionState state = VersionState::kUnavailable;
};

enum class ActionKind : std::uint8_t {
  kLoad,    // start to load
  kRetire,  // take no more leases, unload when the last one ended
  kForget,  // drop the memory of a failure
};

struct Action {
  ActionKind kind;
  Edition edition;

  friend bool operator==(const Action&, const Action&) = default;
};

// What to do next for one model, so that what is held becomes what is wanted without a moment in
// which nothing serves:
//  - a wanted edition that is not held loads, beside whatever serves; only one edition of a version
//    loads at a time;
//  - an edition that is not wanted retires once the one that takes its place is ready: the wanted
//    edition of the same version, or else any, when nothing wanted is still to come. If all that is
//    wanted failed, the newest old ones stay, `stay_max` of them;
//  - with nothing wanted everything ready retires;
//  - a failed edition is left alone while it is wanted (quarantine), and forgotten after.
// Loads come first, in the order of the versions. Pure: the same view gives the same actions.
[[nodiscard]] std::vector<Action> next_actions(
    std::span<const Edition> wanted, std::span<const HeldEdition> held, std::size_t stay_max
);

// Those of `versions` (ascending) that the configuration's version policy serves, ascending.
[[nodiscard]] std::vector<std::int64_t> select_versions(
    const ModelConfig& config, std::span<const std::int64_t> versions
);

}  // namespace cortex::registry
