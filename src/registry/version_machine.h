// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/status.h"
#include "registry/version_state.h"

namespace cortex::registry {

// The life of one load of one version. The methods are the transitions drawn in version_state.h;
// any other order is a bug of ours and ends the process. Thread: its owner's.
class VersionMachine {
 public:
  // REQUIRES: unavailable or failed.
  void start_loading();
  // REQUIRES: loading.
  void loaded();
  // REQUIRES: loading; `reason` is an error.
  void failed(Status reason);
  // No new leases from here on. REQUIRES: ready.
  void drain();
  // The last lease is gone. REQUIRES: draining.
  void drained();

  [[nodiscard]] VersionState state() const { return state_; }
  // Why it failed; OK in every other state.
  [[nodiscard]] const Status& reason() const { return reason_; }

 private:
  VersionState state_ = VersionState::kUnavailable;
  Status reason_;
};

}  // namespace cortex::registry
