// SPDX-License-Identifier: Apache-2.0
#include "registry/version_machine.h"

#include <utility>

#include "base/check.h"

namespace cortex::registry {

void VersionMachine::start_loading() {
  CHECK(
      state_ == VersionState::kUnavailable || state_ == VersionState::kFailed,
      "only a version that is not held may start to load"
  );
  state_ = VersionState::kLoading;
  reason_ = Status();
}

void VersionMachine::loaded() {
  CHECK(state_ == VersionState::kLoading, "only a version that loads becomes ready");
  state_ = VersionState::kReady;
}

void VersionMachine::failed(Status reason) {
  CHECK(state_ == VersionState::kLoading, "only a version that loads fails");
  CHECK(!reason.ok(), "a failure has a reason");
  state_ = VersionState::kFailed;
  reason_ = std::move(reason);
}

void VersionMachine::drain() {
  CHECK(state_ == VersionState::kReady, "only a ready version drains");
  state_ = VersionState::kDraining;
}

void VersionMachine::drained() {
  CHECK(state_ == VersionState::kDraining, "only a draining version ends");
  state_ = VersionState::kUnavailable;
}

}  // namespace cortex::registry
