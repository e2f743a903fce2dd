// SPDX-License-Identifier: Apache-2.0
#include "cli/detail/progress.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <ostream>
#include <utility>

#include "cli/detail/table.h"

namespace cortex::cli::detail {
namespace {

constexpr std::chrono::milliseconds kBetweenLines{100};

double seconds_since(TimePoint begin) {
  return std::max(1e-3, std::chrono::duration<double>(steady_clock().now() - begin).count());
}

}  // namespace

Progress::Progress(std::ostream& out, std::string what, std::uint64_t total)
    : out_(out),
      what_(std::move(what)),
      total_(total),
      begin_(steady_clock().now()),
      visible_(::isatty(STDERR_FILENO) == 1) {}

void Progress::reach(std::uint64_t bytes) {
  bytes_ = bytes;
  const TimePoint now = steady_clock().now();
  if (!visible_ || now - shown_ < kBetweenLines) return;
  shown_ = now;
  show();
}

void Progress::finish() {
  if (!visible_) return;
  show();
  out_ << "\n" << std::flush;
}

void Progress::show() {
  const double rate = static_cast<double>(bytes_) / seconds_since(begin_);
  out_ << "\r" << what_ << ": " << bytes_text(bytes_);
  if (total_ > 0) {
    out_ << " of " << bytes_text(total_) << ", "
         << bytes_ * 100 / std::max(total_, std::uint64_t{1}) << " %";
  }
  out_ << ", " << bytes_text(static_cast<std::uint64_t>(rate)) << "/s\x1b[K" << std::flush;
}

}  // namespace cortex::cli::detail
