// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace cortex::app {

// The whole program: its exit code. Called by main() and by nothing else.
[[nodiscard]] int run(int argc, const char* const* argv);

}  // namespace cortex::app
