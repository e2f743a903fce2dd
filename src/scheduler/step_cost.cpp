// SPDX-License-Identifier: Apache-2.0
#include "scheduler/step_cost.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace cortex::scheduler {
namespace {

// The first guess is of a small model on one core; the first step that runs scales it.
constexpr std::array<double, 5> kGuess = {2000, 3000, 2000, 0.5, 4000};
constexpr double kForget = 0.985;
constexpr double kSpreadMax = 4;    // keeps parts that long did not vary from becoming wild
constexpr double kNoise = 0.05;     // relative, of a step's time
constexpr double kSurpriseMax = 1;  // relative; what is beyond counts as much as this
constexpr double kDoubt = 0.4;
constexpr double kDoubtSpread = 1.2;
constexpr double kDearer = 2;
constexpr std::size_t kFirstSteps = 3;  // believed without that bound
constexpr double kLately = 0.5;         // the last step's weight among the last ones
constexpr double kSlownessMax = 2;

}  // namespace

StepCost::StepCost() : unit_(kGuess) {
  factor_.fill(1);
  for (std::size_t i = 0; i < kParts; ++i) spread_[i][i] = 1;
}

StepCost::Row StepCost::features(const StepShape& shape) const {
  return {
      unit_[0],
      unit_[1] * static_cast<double>(shape.decode_rows),
      unit_[2] * static_cast<double>(shape.prompt_rows),
      unit_[3] * shape.attended,
      shape.switched ? unit_[4] : 0
  };
}

double StepCost::microseconds_of(const StepShape& shape) const {
  const Row row = features(shape);
  double sum = 0;
  for (std::size_t i = 0; i < kParts; ++i) sum += row[i] * factor_[i];
  return std::max(sum, 1.0);
}

Duration StepCost::estimate(const StepShape& shape) const {
  return std::chrono::duration_cast<Duration>(
      std::chrono::duration<double, std::micro>(microseconds_of(shape))
  );
}

Duration StepCost::of_switch() const {
  return std::chrono::duration_cast<Duration>(
      std::chrono::duration<double, std::micro>(unit_[4] * factor_[4])
  );
}

double StepCost::slowness() const { return std::max(lately_, 1.0); }

void StepCost::learn(const StepShape& shape, Duration took) {
  const double measured = std::max(std::chrono::duration<double, std::micro>(took).count(), 1.0);
  if (learnt_ == 0) {
    const double scale = measured / microseconds_of(shape);
    for (double& unit : unit_) unit *= scale;
  }
  ++learnt_;
  const double expected = microseconds_of(shape);
  Row x = features(shape);
  for (double& part : x) part /= expected;

  double surprise = measured / expected - 1;
  if (known()) {
    lately_ += kLately * (std::clamp(1 + surprise, 1 / kSlownessMax, kSlownessMax) - lately_);
  }
  if (learnt_ > kFirstSteps) surprise = std::clamp(surprise, -kSurpriseMax, kSurpriseMax);
  Row gain{};
  double weight = kForget * kNoise;
  for (std::size_t i = 0; i < kParts; ++i) {
    for (std::size_t j = 0; j < kParts; ++j) gain[i] += spread_[i][j] * x[j];
    weight += x[i] * gain[i];
  }
  const Row across = gain;
  for (double& part : gain) part /= weight;
  for (std::size_t i = 0; i < kParts; ++i) {
    factor_[i] = std::max(factor_[i] + gain[i] * surprise, 1e-3);
    for (std::size_t j = 0; j < kParts; ++j) {
      spread_[i][j] = (spread_[i][j] - gain[i] * across[j]) / kForget;
    }
  }
  for (std::size_t i = 0; i < kParts; ++i) {
    if (factor_[i] > kDearer) rebase(i, x[i] * expected / measured);
  }
  // Something may have changed: believe the next steps more.
  const double doubt = std::abs(surprise) > kDoubt ? kDoubtSpread : 1;
  for (Row& row : spread_) {
    for (double& value : row) value *= doubt;
  }
  // Forgetting lets the spread of what is not seen grow without end.
  double widest = 0;
  for (std::size_t i = 0; i < kParts; ++i) widest = std::max(widest, spread_[i][i]);
  if (widest <= kSpreadMax) return;
  for (Row& row : spread_) {
    for (double& value : row) value *= kSpreadMax / widest;
  }
}

// A part that turned out many times dearer is known no better than before, for what it is now. It
// took no longer than the whole step; what the step did not have waits for one that has it.
void StepCost::rebase(std::size_t part, double share) {
  if (share <= 0) {
    factor_[part] = kDearer;
    return;
  }
  unit_[part] *= std::min(std::exchange(factor_[part], 1), 1 / share);
  for (std::size_t i = 0; i < kParts; ++i) {
    if (i != part) spread_[part][i] = spread_[i][part] = 0;
  }
}

}  // namespace cortex::scheduler
