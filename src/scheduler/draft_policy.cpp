// SPDX-License-Identifier: Apache-2.0
#include "scheduler/draft_policy.h"

#include <algorithm>
#include <limits>

namespace cortex::scheduler {
namespace {

constexpr double kMemory = 0.97;
// What is thought before anything was seen, and how many tokens it counts as.
constexpr std::array<double, 4> kFirstChance = {0.3, 0.5, 0.7, 0.8};
constexpr double kFirstWeight = 2;

constexpr double kChanceMin = 0.1;  // below it no row is cheap enough
constexpr double kNeighbourShare = 0.125;
constexpr double kProbeChance = 0.25;
constexpr std::size_t kProbeRows = 2;

double draft_seconds(const StepCost& cost, const StepShape& shape) {
  return std::chrono::duration<double>(cost.estimate(shape)).count();
}

StepShape with_draft_row(StepShape shape, std::size_t position) {
  ++shape.decode_rows;
  shape.attended += attended_by(position, 1);
  return shape;
}

double next_chance(const DraftCandidate& candidate, std::size_t taken) {
  return taken < candidate.chances.size() ? candidate.chances[taken] : 0;
}

// Whose next token is the likeliest.
std::size_t likeliest(const DraftView& view, const std::vector<std::size_t>& taken) {
  std::size_t best = 0;
  for (std::size_t i = 1; i < view.candidates.size(); ++i) {
    const double chance = next_chance(view.candidates[i], taken[i]);
    if (chance > next_chance(view.candidates[best], taken[best])) best = i;
  }
  return best;
}

void add_probe(const DraftView& view, std::vector<std::size_t>& taken) {
  const std::size_t best = likeliest(view, taken);
  const std::size_t most = std::min(kProbeRows, view.rows_max);
  while (taken[best] < most && next_chance(view.candidates[best], taken[best]) >= kProbeChance) {
    ++taken[best];
  }
}

}  // namespace

std::size_t DraftRecord::class_of(std::size_t matched) {
  if (matched <= 2) return 0;
  if (matched <= 4) return 1;
  return matched <= 8 ? 2 : 3;
}

void DraftRecord::learn(std::size_t matched, bool came) {
  Part& part = parts_[class_of(matched)];
  part.seen = part.seen * kMemory + 1;
  part.came = part.came * kMemory + (came ? 1 : 0);
}

void DraftRecord::believe_at_most(double tokens) {
  for (Part& part : parts_) {
    if (part.seen <= tokens) continue;
    part.came *= tokens / part.seen;
    part.seen = tokens;
  }
}

double DraftRecord::chance(std::size_t matched) const {
  const std::size_t place = class_of(matched);
  const Part& part = parts_[place];
  return (part.came + kFirstWeight * kFirstChance[place]) / (part.seen + kFirstWeight);
}

DraftPlan DraftPolicy::next(const DraftView& view, const StepCost& cost) const {
  DraftPlan plan;
  auto& taken = plan.tokens;
  taken.assign(view.candidates.size(), 0);
  const bool priced = view.gain_min > 0;
  if (view.candidates.empty() || (priced && !cost.known())) return plan;
  StepShape shape = view.shape;
  const double time_without = draft_seconds(cost, shape);
  double time = time_without;
  const double time_max = view.candidates.size() > 1 ? time * (1 + kNeighbourShare)
                                                     : std::numeric_limits<double>::max();
  const auto tokens_without = static_cast<double>(view.candidates.size());
  double tokens = tokens_without;
  std::size_t rows = 0;
  for (; rows < view.rows_max; ++rows) {
    const std::size_t best = likeliest(view, taken);
    const double chance = next_chance(view.candidates[best], taken[best]);
    if (chance < kChanceMin) break;
    const StepShape with = with_draft_row(shape, view.candidates[best].position + 1 + taken[best]);
    const double longer = draft_seconds(cost, with);
    if (priced && (longer > time_max || chance * time < tokens * (longer - time))) break;
    ++taken[best];
    tokens += chance;
    shape = with;
    time = longer;
  }
  if (priced && tokens * time_without < view.gain_min * tokens_without * time) {
    taken.assign(taken.size(), 0);
    rows = 0;
  }
  plan.probe = rows == 0 && view.probe;
  if (plan.probe) add_probe(view, taken);
  return plan;
}

void DraftProbes::ran(std::uint64_t step, bool probe) {
  gap_ = probe ? std::min(gap_ * 2, kGapMax) : kGapMin;
  next_ = step + gap_;
}

}  // namespace cortex::scheduler
