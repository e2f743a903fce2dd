// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <iosfwd>
#include <string>

#include "base/clock.h"

namespace cortex::cli::detail {

// How far a transfer is, on one line that is written anew: share, bytes and rate. Silent where
// standard error is no terminal. Thread: one.
class Progress {
 public:
  // `total` 0: not known yet.
  Progress(std::ostream& out, std::string what, std::uint64_t total);

  void set_total(std::uint64_t total) { total_ = total; }
  void reach(std::uint64_t bytes);
  // Leaves the last line standing.
  void finish();

 private:
  void show();

  std::ostream& out_;
  const std::string what_;
  std::uint64_t total_;
  std::uint64_t bytes_ = 0;
  const TimePoint begin_;
  TimePoint shown_{};
  const bool visible_;
};

}  // namespace cortex::cli::detail
