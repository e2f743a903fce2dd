// SPDX-License-Identifier: Apache-2.0
#include "registry/registry_policy.h"

#include <algorithm>

namespace cortex::registry {
namespace {

// What is known of one model, and the questions the rules ask of it.
struct View {
  std::span<const Edition> wanted;
  std::span<const HeldEdition> held;
  std::size_t stay_max;

  [[nodiscard]] bool is_wanted(const Edition& edition) const {
    return std::find(wanted.begin(), wanted.end(), edition) != wanted.end();
  }

  [[nodiscard]] bool is_held(const Edition& edition, VersionState state) const {
    return std::any_of(held.begin(), held.end(), [&](const HeldEdition& h) {
      return h.edition == edition && h.state == state;
    });
  }

  [[nodiscard]] bool settled(const Edition& edition) const {
    return is_held(edition, VersionState::kReady) || is_held(edition, VersionState::kFailed);
  }

  [[nodiscard]] bool version_loads(std::int64_t version) const {
    return std::any_of(held.begin(), held.end(), [&](const HeldEdition& h) {
      return h.edition.version == version && h.state == VersionState::kLoading;
    });
  }

  [[nodiscard]] bool replaced(const Edition& edition) const {
    if (wanted.empty()) return true;
    for (const Edition& other : wanted) {
      if (other.version == edition.version) return is_held(other, VersionState::kReady);
    }
    if (!std::ranges::all_of(wanted, [&](const Edition& w) { return settled(w); })) return false;
    const auto is_ready = [&](const Edition& w) { return is_held(w, VersionState::kReady); };
    return std::ranges::any_of(wanted, is_ready) || newer_ones(edition) >= stay_max;
  }

  // That are ready, and not wanted either.
  [[nodiscard]] std::size_t newer_ones(const Edition& edition) const {
    return static_cast<std::size_t>(std::ranges::count_if(held, [&](const HeldEdition& h) {
      return h.state == VersionState::kReady && h.edition > edition && !is_wanted(h.edition);
    }));
  }
};

}  // namespace

std::vector<Action> next_actions(
    std::span<const Edition> wanted, std::span<const HeldEdition> held, std::size_t stay_max
) {
  const View view{wanted, held, stay_max};
  std::vector<Action> actions;
  for (const Edition& edition : wanted) {
    if (!view.settled(edition) && !view.version_loads(edition.version)) {
      actions.push_back({ActionKind::kLoad, edition});
    }
  }
  for (const HeldEdition& h : held) {
    if (view.is_wanted(h.edition)) continue;
    if (h.state == VersionState::kFailed) actions.push_back({ActionKind::kForget, h.edition});
    if (h.state == VersionState::kReady && view.replaced(h.edition)) {
      actions.push_back({ActionKind::kRetire, h.edition});
    }
  }
  return actions;
}

std::vector<std::int64_t> select_versions(
    const ModelConfig& config, std::span<const std::int64_t> versions
) {
  std::vector<std::int64_t> out(versions.begin(), versions.end());
  if (config.version_policy == VersionPolicy::kLatest && out.size() > config.latest_versions) {
    out.erase(out.begin(), out.end() - static_cast<std::ptrdiff_t>(config.latest_versions));
  }
  if (config.version_policy == VersionPolicy::kSpecific) {
    const auto& named = config.specific_versions;
    std::erase_if(out, [&](std::int64_t version) {
      return std::find(named.begin(), named.end(), version) == named.end();
    });
  }
  return out;
}

}  // namespace cortex::registry
