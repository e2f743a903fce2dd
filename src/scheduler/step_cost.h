// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>

#include "base/clock.h"

namespace cortex::scheduler {

// What the time of a step depends on.
struct StepShape {
  std::size_t decode_rows = 0;
  std::size_t prompt_rows = 0;
  double attended = 0;    // tokens that the rows look back on, added up
  bool switched = false;  // its adapter is another than the last step's
};

// What a chunk of `tokens` that starts at `position` looks back on.
[[nodiscard]] constexpr double attended_by(std::size_t position, std::size_t tokens) {
  const auto count = static_cast<double>(tokens);
  return count * static_cast<double>(position) + count * (count + 1) / 2;
}

// How long steps of this model take on this machine, learnt from the steps that ran: a fixed part,
// one for each decode row, each prompt token and each token attended to, and one for a change of
// adapter. Least squares on relative errors, with slow forgetting; a step far off what was expected
// (the machine did something else) moves it little, a lasting change moves it within some dozen
// steps. Before the first step it is a guess. Pure; not thread-safe.
class StepCost {
 public:
  StepCost();

  void learn(const StepShape& shape, Duration took);
  [[nodiscard]] Duration estimate(const StepShape& shape) const;
  [[nodiscard]] Duration of_switch() const;
  // How many times as long as estimated the last two or three steps took, 1 to 2: above 1 while
  // the machine does something else besides.
  [[nodiscard]] double slowness() const;
  [[nodiscard]] std::size_t learnt() const { return learnt_; }
  // So many steps were learnt that an estimate says what was measured, no longer what was guessed,
  // and one step that was off does not decide. Whoever would act on an estimate waits for it.
  [[nodiscard]] bool known() const { return learnt_ >= kStepsKnown; }

 private:
  static constexpr std::size_t kParts = 5;
  static constexpr std::size_t kStepsKnown = 8;
  using Row = std::array<double, kParts>;

  [[nodiscard]] Row features(const StepShape& shape) const;
  [[nodiscard]] double microseconds_of(const StepShape& shape) const;
  // `share`: what its unit, before it is scaled by its factor, is of the step that was learnt.
  void rebase(std::size_t part, double share);

  Row unit_{};    // microseconds that each part was first thought to cost
  Row factor_{};  // of unit_, learnt
  std::array<Row, kParts> spread_{};
  std::size_t learnt_ = 0;
  double lately_ = 1;  // of what was estimated, the last steps took
};

}  // namespace cortex::scheduler
