// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "backend/sequence_backend.h"
#include "base/clock.h"
#include "scheduler/draft_policy.h"
#include "scheduler/step_cost.h"

namespace cortex::scheduler {

// A small language model that foretells what a large one of the same vocabulary says: it reads what
// the sequences of a lane say and goes on alone, most likely token first. How often that comes true
// is learnt by how far its first choice led; how long its steps take is measured. Thread: the
// lane's.
class DraftModel {
 public:
  // A sequence of the lane that goes on.
  struct Wish {
    backend::SequenceId id = 0;  // the lane's; the small memory uses the same
    std::span<const Token> tokens;
    std::size_t most = 0;  // tokens that a draft of it may have
  };
  // What comes next, and how sure each token is: numbers for record(). Empty: nothing was foretold,
  // for now.
  struct Draft {
    std::vector<Token> tokens;
    std::vector<std::size_t> alike;
  };

  // REQUIRES: fits(). `clock` outlives it.
  DraftModel(std::shared_ptr<backend::SequenceBackend> backend, const Clock& clock);

  // OK where `small` can foretell what `large` says: the same tokens, as many ids, memories that
  // can be cut. It may be the same model once more. kFailedPrecondition with what is missing.
  [[nodiscard]] static Status fits(
      const backend::SequenceBackend& small, const backend::SequenceBackend& large
  );

  // Tokens of each draft with which `sequences` sequences get on fastest, both models' time
  // counted, in a step that is `shape` without drafts; 0 where that is not `gain_min` times as fast
  // as without. Now and then 1 although it does not seem to pay: times change. A probe takes about
  // two of the large model's steps at most, also where it has much to read first.
  [[nodiscard]] std::size_t worth(
      const StepShape& shape, const StepCost& cost, std::size_t sequences, double gain_min
  );

  // Its drafts are to show what they and their rows cost, whether they seem to pay or not.
  [[nodiscard]] bool probing() const { return probing_; }

  // Drafts of `wishes`, in their order, of at most `count` tokens each. New text is read first, at
  // most 32 tokens of it or for a quarter of `step`, the time of the large model's step; who has
  // more of it gets a draft in a later call. A step of the small model that fails gives nothing,
  // and its memory begins anew. `abort` is asked as SequenceStep::abort is, null: never; what was
  // foretold until then is there.
  [[nodiscard]] std::vector<Draft> foretell(
      std::span<const Wish> wishes,
      std::size_t count,
      Duration step,
      const std::function<bool()>& abort = {}
  );

  // `to` begins as `from` does, up to so many tokens.
  void fork(backend::SequenceId from, backend::SequenceId to, std::size_t tokens);
  // The sequence has left the lane's memory.
  void forget(backend::SequenceId id);

  [[nodiscard]] std::uint64_t steps_run() const { return steps_run_; }

  // A token of a draft came true, or another was drawn.
  void learn(std::size_t alike, bool came);
  [[nodiscard]] const DraftRecord& record() const { return record_; }

 private:
  // A wish while it is fulfilled.
  struct Turn {
    const Wish* wish;
    Draft* draft;
    std::size_t row;  // whose logits say what comes next
  };
  [[nodiscard]] std::size_t rows_for(Duration time) const;
  [[nodiscard]] bool tries_one_row() const;
  [[nodiscard]] bool agree(const Wish& wish, std::size_t& used);
  [[nodiscard]] bool run(const std::function<bool()>& abort);
  void undo();
  void add_row(backend::SequenceId id, Token token, bool output);
  void go_on(std::vector<Turn>& turns, std::size_t count, const std::function<bool()>& abort);
  void forget_all();
  void end_probe();

  const std::shared_ptr<backend::SequenceBackend> backend_;
  const Clock& clock_;
  std::vector<std::vector<Token>> held_;  // by id: what the small memory holds
  std::vector<backend::StepRow> rows_;    // of the step that is made
  StepShape shape_;                       // likewise
  StepCost cost_;
  DraftRecord record_;
  double foretold_ = 0;  // tokens, lately
  double came_ = 0;      // of these
  DraftProbes probes_;
  std::uint64_t steps_ = 0;  // of the lane, that asked
  bool probing_ = false;
  Duration probe_time_{};        // that its steps took since the last probe or use
  std::uint64_t steps_run_ = 0;  // of the small model
};

}  // namespace cortex::scheduler
