// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string_view>

namespace cortex::registry {

// Where one version stands. Legal ways:
//
//   unavailable -> loading -> ready -> draining -> unavailable
//                     \-> failed (quarantined; left only by an explicit load or changed files) ->
//                     loading
enum class VersionState : std::uint8_t {
  kUnavailable,  // known and not wanted, or already unloaded
  kLoading,      // its loader runs, warm-up included
  kReady,        // serves; leases may be taken
  kDraining,     // no new leases; the ones that are out end
  kFailed,       // its loader failed; the reason says why
};

// As the repository index shows it: "READY", "LOADING", "UNLOADING", "UNAVAILABLE".
[[nodiscard]] constexpr std::string_view index_state(VersionState state) {
  switch (state) {
    case VersionState::kLoading:
      return "LOADING";
    case VersionState::kReady:
      return "READY";
    case VersionState::kDraining:
      return "UNLOADING";
    case VersionState::kUnavailable:
    case VersionState::kFailed:
      return "UNAVAILABLE";
  }
  return "UNKNOWN";
}

}  // namespace cortex::registry
