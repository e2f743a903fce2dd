// SPDX-License-Identifier: Apache-2.0
#include "registry/alias_book.h"

namespace cortex::registry {

void AliasBook::point(
    const std::map<std::string, std::int64_t>& targets,
    const std::map<std::string, std::int64_t>& previous
) {
  std::erase_if(states_, [&](const auto& entry) { return !targets.contains(entry.first); });
  for (const auto& [alias, version] : targets) {
    AliasState& state = states_[alias];
    state.target = version;
    const auto before = previous.find(alias);
    if (state.serving == 0 && before != previous.end()) state.previous = before->second;
  }
}

void AliasBook::permit(const std::map<std::string, std::set<std::int64_t>>& permitted) {
  for (const auto& [alias, versions] : permitted) {
    const auto found = states_.find(alias);
    if (found == states_.end()) continue;
    AliasState& state = found->second;
    if (!versions.contains(state.serving)) state.serving = 0;
    if (!versions.contains(state.previous)) state.previous = 0;
  }
}

void AliasBook::settle(const std::set<std::int64_t>& ready) {
  ready_ = ready;
  for (auto& [alias, state] : states_) {
    // Nobody saw it serve: what it may have served before must not answer for the target.
    if (state.serving == 0) {
      if (ready.contains(state.target)) state.serving = state.target;
      continue;
    }
    for (const std::int64_t version : {state.target, state.serving, state.previous}) {
      if (!ready.contains(version)) continue;
      if (version != state.serving) {
        state.previous = state.serving;
        state.serving = version;
      }
      break;
    }
  }
}

std::set<std::int64_t> AliasBook::pinned() const {
  std::set<std::int64_t> out;
  for (const auto& [alias, state] : states_) {
    for (const std::int64_t version : {state.target, state.serving}) {
      if (ready_.contains(version)) out.insert(version);
    }
  }
  return out;
}

}  // namespace cortex::registry
