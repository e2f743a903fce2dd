// SPDX-License-Identifier: Apache-2.0
#include "app/child_process.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cortex::app {
namespace {

using testing::EndsWith;
using testing::Gt;
using testing::HasSubstr;
using testing::SizeIs;

ChildOptions shell(const std::string& script) {
  ChildOptions out;
  out.program = "/bin/sh";
  out.arguments = {"-c", script};
  out.environment = {"PATH=/usr/bin:/bin"};
  out.deadline = steady_clock().now() + std::chrono::seconds(60);
  return out;
}

ChildOutcome run(const ChildOptions& options) {
  auto out = run_child(options);
  EXPECT_TRUE(out.ok()) << out.status().to_string();
  return out.ok() ? std::move(*out) : ChildOutcome{};
}

TEST(ChildProcess, gives_input_and_takes_output_log_and_exit_status) {
  ChildOptions options = shell("read line; echo \"got $line\"; echo lost >&2; exit 7");
  options.input = "hello\n";
  const ChildOutcome outcome = run(options);
  EXPECT_EQ(outcome.end, ChildEnd::kExited);
  EXPECT_EQ(outcome.code, 7);
  EXPECT_EQ(outcome.output, "got hello\n");
  EXPECT_EQ(outcome.log, "lost\n");
}

TEST(ChildProcess, names_the_signal_that_ended_it) {
  const ChildOutcome outcome = run(shell("kill -ABRT $$"));
  EXPECT_EQ(outcome.end, ChildEnd::kSignalled);
  EXPECT_EQ(outcome.code, SIGABRT);
}

TEST(ChildProcess, is_killed_at_the_deadline_with_everything_it_started) {
  ChildOptions options = shell("(trap '' TERM; cat /dev/zero >/dev/null) & echo $!; wait");
  options.deadline = steady_clock().now() + std::chrono::milliseconds(300);
  const ChildOutcome outcome = run(options);
  EXPECT_EQ(outcome.end, ChildEnd::kTimedOut);
  const auto grandchild = static_cast<pid_t>(std::stol(outcome.output));
  // A zombie until whoever inherits it looks; it runs no more in either case.
  const ChildOutcome state = run(shell(
      "for i in $(seq 100000); do case $(cut -d' ' -f3 /proc/" + std::to_string(grandchild) +
      "/stat 2>/dev/null) in ''|Z) echo over; exit;; esac; done"
  ));
  EXPECT_EQ(state.output, "over\n");
}

TEST(ChildProcess, is_killed_when_it_is_told_to_stop) {
  const std::atomic<bool> stop{true};
  ChildOptions options = shell("cat /dev/zero >/dev/null");
  options.stop = &stop;
  EXPECT_EQ(run(options).end, ChildEnd::kStopped);
}

TEST(ChildProcess, is_killed_above_its_memory) {
  ChildOptions options = shell("x=0123456789; while :; do x=$x$x; done");
  options.resident_bytes_max = 64 << 20;
  const ChildOutcome outcome = run(options);
  EXPECT_EQ(outcome.end, ChildEnd::kTooLarge);
  EXPECT_THAT(outcome.resident_bytes, Gt(64u << 20));
}

TEST(ChildProcess, keeps_the_start_of_the_output_and_the_end_of_the_log) {
  ChildOptions options = shell("seq 100000; seq 100000 >&2");
  options.output_bytes_max = 100;
  options.log_bytes_max = 100;
  const ChildOutcome outcome = run(options);
  EXPECT_THAT(outcome.output, SizeIs(100));
  EXPECT_THAT(outcome.output, HasSubstr("1\n2\n3\n"));
  EXPECT_THAT(outcome.log, SizeIs(100));
  EXPECT_THAT(outcome.log, EndsWith("99999\n100000\n"));
}

TEST(ChildProcess, inherits_neither_files_nor_variables_nor_blocked_signals) {
  const int leaked = open("/dev/null", O_RDONLY);  // without O_CLOEXEC
  ASSERT_GE(leaked, 3);
  const ChildOutcome outcome = run(shell(
      "[ -e /proc/self/fd/" + std::to_string(leaked) +
      " ] && echo file; [ -n \"$HOME\" ] && echo variable; grep SigBlk /proc/self/status"
  ));
  ::close(leaked);
  EXPECT_EQ(outcome.output, "SigBlk:\t0000000000000000\n");
}

TEST(ChildProcess, says_that_it_cannot_be_started) {
  ChildOptions options;
  options.program = "/there/is/no/such/program";
  const Status status = run_child(options).status();
  EXPECT_EQ(status.code(), Code::kUnavailable);
  EXPECT_THAT(status.text(), HasSubstr("No such file"));
}

}  // namespace
}  // namespace cortex::app
