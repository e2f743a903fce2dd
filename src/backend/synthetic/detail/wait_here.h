// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/clock.h"

namespace cortex::backend {

// Lets the calling thread wait that long by the machine's clock.
void wait_here(Duration duration);

}  // namespace cortex::backend
