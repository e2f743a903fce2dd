// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "config/settings.h"

namespace cortex::app {

// `cortex serve`: starts a server, prints the ready line, and stops it at SIGTERM or SIGINT; SIGHUP
// reads the model folders again. The exit code of the program. Thread: main, before any other
// thread was started.
[[nodiscard]] int serve(const config::Settings& settings);

}  // namespace cortex::app
