// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace cortex::cli::detail {

// Ctrl-C as something that can be waited for. While one of these lives, SIGINT makes descriptor()
// readable instead of ending the process; one that comes before the last was taken ends it. One at
// a time. Thread: main.
class Interrupts {
 public:
  Interrupts();
  ~Interrupts();
  Interrupts(const Interrupts&) = delete;
  Interrupts& operator=(const Interrupts&) = delete;

  // Below 0 where the system gave none: then Ctrl-C ends the process as ever.
  [[nodiscard]] int descriptor() const;
  [[nodiscard]] bool pending() const;
  // Whether there was one since the last call.
  bool take();
};

}  // namespace cortex::cli::detail
