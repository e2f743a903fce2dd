// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "scheduler/step_cost.h"

namespace cortex::scheduler {

// How often what was foretold of a sequence came true, by how much of the text before was alike.
// What came lately counts most. It learns from every token that was foretold, also from those whose
// rows did not run, so that what once failed is tried again when the text has changed. Pure.
class DraftRecord {
 public:
  void learn(std::size_t matched, bool came);
  // What was learnt so far counts as at most so many tokens of each length that was alike.
  void believe_at_most(double tokens);
  // That the next token is as foretold.
  [[nodiscard]] double chance(std::size_t matched) const;

 private:
  static constexpr std::size_t kClasses = 4;  // up to 2, 4, 8 and more tokens alike
  struct Part {
    double seen = 0;
    double came = 0;
  };
  [[nodiscard]] static std::size_t class_of(std::size_t matched);

  std::array<Part, kClasses> parts_{};
};

// Tokens for the time of a step with drafts, against those of the step without: what a guess that
// may be wrong must promise.
inline constexpr double kDraftGainMin = 1.15;

// A sequence in the step that something is foretold of.
struct DraftCandidate {
  std::size_t position = 0;         // of its last token
  std::span<const double> chances;  // that its draft comes true up to each of its tokens
};

struct DraftView {
  std::span<const DraftCandidate> candidates;  // all sequences that decode in the step
  StepShape shape;                             // of the step without drafts
  std::size_t rows_max = 0;                    // of all drafts together
  bool probe = false;                          // rows are dear, it seems: measure once more
  double gain_min = kDraftGainMin;             // 0: whatever may come true runs, at any price
};

struct DraftPlan {
  std::vector<std::size_t> tokens;  // of each candidate
  bool probe = false;               // they are one
};

// How many tokens of each draft a step carries: those with which it brings the most tokens for its
// time, and none where that is not more by `gain_min` than without them. A sequence that is alone
// may take any time for it; beside others the step gets at most an eighth longer, so that nobody
// pays for a neighbour's draft. With `probe` up to two tokens are carried although they do not seem
// to pay: what rows cost is known only from steps that had them. Pure.
class DraftPolicy {
 public:
  [[nodiscard]] DraftPlan next(const DraftView& view, const StepCost& cost) const;
};

// When a lane that runs no drafts probes what their rows cost: seldom, ever more seldom while they
// do not pay. Pure.
class DraftProbes {
 public:
  [[nodiscard]] bool due(std::uint64_t step) const { return step >= next_; }
  // A step carried drafts, as a probe or because they pay.
  void ran(std::uint64_t step, bool probe);

 private:
  static constexpr std::uint64_t kGapMin = 64;
  static constexpr std::uint64_t kGapMax = 1024;
  std::uint64_t gap_ = kGapMin;
  std::uint64_t next_ = 0;
};

}  // namespace cortex::scheduler
