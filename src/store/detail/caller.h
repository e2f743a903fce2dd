// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace cortex::store {

// CHECKs that the calling thread, by its name, may wait for a database: io and lane threads may
// not, and a thread of the store's would wait for itself.
void check_may_wait();

}  // namespace cortex::store
