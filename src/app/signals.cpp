// SPDX-License-Identifier: Apache-2.0
#include "app/signals.h"

#include <pthread.h>
#include <signal.h>

namespace cortex::app {
namespace {

sigset_t held_signals() {
  sigset_t out;
  sigemptyset(&out);
  sigaddset(&out, SIGTERM);
  sigaddset(&out, SIGINT);
  sigaddset(&out, SIGHUP);
  return out;
}

}  // namespace

void hold_signals() {
  ::signal(SIGPIPE, SIG_IGN);
  const sigset_t held = held_signals();
  pthread_sigmask(SIG_BLOCK, &held, nullptr);
}

Signal next_signal(std::chrono::milliseconds wait) {
  const sigset_t held = held_signals();
  timespec limit{};
  limit.tv_sec = wait.count() / 1000;
  limit.tv_nsec = wait.count() % 1000 * 1'000'000;
  switch (sigtimedwait(&held, nullptr, &limit)) {
    case SIGTERM:
    case SIGINT:
      return Signal::kStop;
    case SIGHUP:
      return Signal::kRescan;
    default:
      return Signal::kNone;
  }
}

void let_signals_end_the_process() {
  sigset_t ending;
  sigemptyset(&ending);
  sigaddset(&ending, SIGTERM);
  sigaddset(&ending, SIGINT);
  pthread_sigmask(SIG_UNBLOCK, &ending, nullptr);
}

}  // namespace cortex::app
