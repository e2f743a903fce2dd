// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace cortex::frontend {

// How many arrays and objects of a request's JSON may lie in each other (limits.json_depth; 64
// until it is set). The readers are functions without an owner, so it is one number of the process,
// which is set before the first request is read. Thread-safe.
void set_json_depth_max(int depth);
[[nodiscard]] int json_depth_max();

}  // namespace cortex::frontend
