// SPDX-License-Identifier: Apache-2.0
#include "cli/detail/interrupts.h"

#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdint>

#include "base/check.h"

namespace cortex::cli::detail {
namespace {

// What a signal handler may touch.
std::atomic<int> interrupt_descriptor{-1};
std::atomic<bool> interrupt_pending{false};
struct sigaction action_before;

void on_interrupt(int) {
  if (interrupt_pending.exchange(true)) {
    // Delivered when this handler returns.
    ::signal(SIGINT, SIG_DFL);
    ::raise(SIGINT);
    return;
  }
  const int kept = errno;
  const std::uint64_t one = 1;
  if (::write(interrupt_descriptor, &one, sizeof one) < 0) interrupt_pending = true;
  errno = kept;
}

}  // namespace

Interrupts::Interrupts() {
  CHECK(interrupt_descriptor < 0, "one catches Ctrl-C at a time");
  interrupt_pending = false;
  interrupt_descriptor = ::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (interrupt_descriptor < 0) return;
  struct sigaction action{};
  action.sa_handler = &on_interrupt;
  action.sa_flags = SA_RESTART;
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, &action_before);
}

Interrupts::~Interrupts() {
  if (interrupt_descriptor < 0) return;
  sigaction(SIGINT, &action_before, nullptr);
  ::close(interrupt_descriptor.exchange(-1));
}

int Interrupts::descriptor() const { return interrupt_descriptor; }

bool Interrupts::pending() const { return interrupt_pending; }

bool Interrupts::take() {
  if (!interrupt_pending) return false;
  std::uint64_t count = 0;
  // Emptied first: one that comes between the two is not lost, at most seen twice.
  static_cast<void>(::read(interrupt_descriptor, &count, sizeof count) < 0);
  return interrupt_pending.exchange(false);
}

}  // namespace cortex::cli::detail
