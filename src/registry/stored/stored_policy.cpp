// SPDX-License-Identifier: Apache-2.0
#include "registry/stored/stored_policy.h"

#include <algorithm>
#include <functional>

namespace cortex::registry {
namespace {

// Fills the plan step by step, and counts what will be in memory at rest.
class Planning {
 public:
  explicit Planning(const StoredView& view) : view_(view) {}

  StoredPlan run() {
    hold_what_serves();
    hold_what_is_meant();
    // Below, a version is taken where there is room or not at all.
    if (!view_.versions.empty()) hold_if_room(view_.versions.back());
    for (const auto& [alias, state] : view_.aliases) hold_if_room(state.previous);
    const std::size_t newest = std::min(view_.versions.size(), 2 * view_.versions_max);
    for (std::size_t i = 0; i < newest; ++i) {
      hold_if_room(view_.versions[view_.versions.size() - 1 - i]);
    }
    for (auto it = view_.ready.rbegin(); it != view_.ready.rend(); ++it) hold_if_room(*it);
    return std::move(plan_);
  }

 private:
  [[nodiscard]] bool known(std::int64_t version) const {
    return std::binary_search(view_.versions.begin(), view_.versions.end(), version);
  }
  [[nodiscard]] bool failed(std::int64_t version) const { return view_.failed.contains(version); }
  // Its target will take its place: it is known, not here, and nothing says that it cannot come.
  [[nodiscard]] bool leaves(const AliasState& state) const {
    return state.serving != state.target && known(state.target) && !failed(state.target);
  }
  [[nodiscard]] bool has_room() const { return counted_.size() < view_.versions_max; }

  void hold_what_serves() {
    for (const auto& [alias, state] : view_.aliases) {
      if (!view_.ready.contains(state.serving) || !known(state.serving)) continue;
      plan_.hold.insert(state.serving);
      if (!leaves(state)) counted_.insert(state.serving);
    }
  }

  void hold_what_is_meant() {
    std::set<std::int64_t, std::greater<>> targets;
    for (const auto& [alias, state] : view_.aliases) {
      if (known(state.target)) targets.insert(state.target);
    }
    for (const std::int64_t target : targets) {
      if (failed(target)) plan_.hold.insert(target);
      if (hold_if_room(target) || plan_.hold.contains(target)) continue;
      plan_.left_out[target] = "there is no room: " + std::to_string(view_.versions_max) +
                               " versions (models.stored_versions) are kept for other aliases";
    }
    // Without its successor it stays, and counts.
    for (const auto& [alias, state] : view_.aliases) {
      if (plan_.left_out.contains(state.target) && plan_.hold.contains(state.serving))
        counted_.insert(state.serving);
    }
  }

  bool hold_if_room(std::int64_t version) {
    if (!known(version) || counted_.contains(version) || !has_room()) return false;
    if (!failed(version)) counted_.insert(version);
    plan_.hold.insert(version);
    return true;
  }

  const StoredView& view_;
  StoredPlan plan_;
  std::set<std::int64_t> counted_;
};

}  // namespace

StoredPlan plan_stored(const StoredView& view) { return Planning(view).run(); }

}  // namespace cortex::registry
