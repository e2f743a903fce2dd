// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "store/store.h"

namespace cortex::tracking {

// The room's tables. What a client names is found by (workspace, name); rows below a run, a dataset
// or a logged model hang on that row's own number, which no client ever says and which belongs to
// one workspace.
[[nodiscard]] const store::Schema& tracking_schema();

}  // namespace cortex::tracking
