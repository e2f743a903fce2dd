// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <span>
#include <utility>
#include <vector>

#include "scheduler/draft_policy.h"
#include "scheduler/step_cost.h"

namespace cortex::scheduler {

// A sequence that may draw its next token.
struct StepDecoder {
  std::size_t position = 0;
  std::size_t flow = 0;               // whose it is; any number
  std::span<const double> chances{};  // of its draft, see DraftCandidate; empty: it has none
};

// A sequence whose prompt is being read.
struct StepReader {
  std::size_t position = 0;
  std::size_t remaining = 0;
  std::size_t flow = 0;
  std::size_t chunk_max = 0;  // 0: none
};

struct StepView {
  std::span<const StepDecoder> decoders;  // that waited longest first
  std::span<const StepReader> readers;    // to be served first, first
  std::span<const double> weights{};      // of flows, by their numbers; of those beyond: 1
  std::size_t rows_max = 1;
  std::size_t draft_rows_max = 0;
  bool probe_drafts = false;
  double draft_gain_min = kDraftGainMin;
  bool switched = false;  // the adapter is another than the last step's
};

// Indices into the view.
struct StepPlan {
  struct Chunk {
    std::size_t reader = 0;
    std::size_t tokens = 0;
    bool operator==(const Chunk&) const = default;
  };
  std::vector<std::size_t> decoders;
  std::vector<std::size_t> drafts;  // tokens that each of the decoders carries behind its own
  std::vector<Chunk> chunks;
  StepShape shape;
  bool probe = false;  // its drafts are one
};

// What the next step of a language model carries. Decodes come first, so that streams keep flowing,
// with as much of their drafts as pays; prompts get what time the target leaves, priced by the cost
// model.
//
// While anybody decodes, a step with prompts takes 2.1 times the one without, or the owner's
// interval, which is held between 1.67 and 2.5 times: running streams keep at least 40 % of their
// quiet rate and prompts at least 40 % of theirs. While steps take longer than estimated, prompts
// get less, down to that: a gap is felt, a prompt's end hardly. Nobody decodes: prompts fill the
// step.
//
// Decodes of several flows share a step's time by their weights: a row is taken of each, then as
// the weights have it, until the step costs as much as all flows would take alone one after the
// other if each had no more to do, for its weight, than the one that has least; one with a prompt
// to read always has more. Where rows come cheap that is all of them; where each costs its full
// time, a flow of many streams gets no more than one of few, for its weight. A flow that reads
// prompts beside its streams, among flows that only have streams, takes both from its own share.
// Pure.
class StepPolicy {
 public:
  static constexpr std::size_t kChunkMin = 16;

  // `token_interval`: wanted gap between the tokens of a stream while prompts are read; 0: by what
  // is measured.
  explicit StepPolicy(std::chrono::microseconds token_interval) : interval_(token_interval) {}

  [[nodiscard]] StepPlan next(const StepView& view, const StepCost& cost) const;
  // How many times as long a step with prompts may take as the `quiet` one without.
  [[nodiscard]] double share(Duration quiet) const;

 private:
  void add_decoders(const StepView& view, const StepCost& cost, StepPlan& plan) const;
  void add_drafts(const StepView& view, const StepCost& cost, StepPlan& plan) const;
  void add_chunks(const StepView& view, const StepCost& cost, StepPlan& plan) const;

  std::chrono::microseconds interval_;
};

}  // namespace cortex::scheduler
