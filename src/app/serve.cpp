// SPDX-License-Identifier: Apache-2.0
#include "app/serve.h"

#include <sys/resource.h>

#include <iostream>

#include "app/announcement.h"
#include "app/application.h"
#include "app/signals.h"
#include "base/log.h"
#include "cli/command_line.h"

namespace cortex::app {
namespace {

// How often the main thread looks whether the models of the start have settled; afterwards it only
// waits for signals.
constexpr std::chrono::milliseconds kSettleTick{5};
constexpr std::chrono::milliseconds kIdleTick{3'600'000};

// Also when the file was replaced meanwhile: the kernel keeps the one that runs.
constexpr const char* kProgram = "/proc/self/exe";

// Every connection is a file; the usual soft limit of 1024 is below our own.
void raise_file_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

int failed(const Status& status) {
  std::cerr << "cortex: " << status.text() << "\n";
  if (!status.detail().empty()) std::cerr << "  " << status.detail() << "\n";
  return status.code() == Code::kInvalidArgument ? cli::kUsage : cli::kFailure;
}

void wait_for_stop(Application& app) {
  bool announced = false;
  for (;;) {
    if (!announced && app.settled()) {
      std::cout << announcement(app) << std::flush;
      announced = true;
    }
    switch (next_signal(announced ? kIdleTick : kSettleTick)) {
      case Signal::kStop:
        return;
      case Signal::kRescan:
        log::info("reading the model folders again");
        app.rescan();
        break;
      case Signal::kNone:
        break;
    }
  }
}

}  // namespace

int serve(const config::Settings& settings) {
  log::configure(settings.log.level, settings.log.format);
  hold_signals();
  raise_file_limit();
  auto app = Application::make(settings, kProgram);
  if (!app.ok()) return failed(app.status());
  const Status started = (*app)->start();
  if (!started.ok()) return failed(started);
  wait_for_stop(**app);
  log::info("stopping: accepted requests are answered first");
  let_signals_end_the_process();
  (*app)->stop();
  log::info("stopped");
  return cli::kSuccess;
}

}  // namespace cortex::app
