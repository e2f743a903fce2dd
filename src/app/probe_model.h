// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "cli/command_line.h"

namespace cortex::app {

// The process that a version is tried in: loads it as the server would, warms it up, runs it once,
// unloads it, and writes on its standard output what that took or why it was refused, as one line
// of JSON (probe_report.h). Everything else that is printed goes to standard error. It ends with
// the process that asked for it, is the first that the system ends when memory runs out, and writes
// no file. Returns the exit code; on success it does not return.
[[nodiscard]] int probe_model(const cli::ProbeOrder& order);

}  // namespace cortex::app
