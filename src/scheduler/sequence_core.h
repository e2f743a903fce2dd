// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "scheduler/sequence_state.h"

namespace cortex::scheduler {

// A sequence lane without threads and clock: what waits, who runs, what each step carries and what
// becomes of it. Time comes in as a value and the engine's run is left to the caller, so that a
// simulation drives the very code that serves:
//
//   while (…) { Turn turn = core.plan(now); if (turn.step) core.commit(backend.decode(*turn.step),
//   …)
//   }
//
// The engine's memory is moved about within plan() and commit(), streams are written to and ended
// there. Thread: the lane's, but for door(). What each step does, in which order, is listed in
// actions/actions.h.
class SequenceCore {
 public:
  // `backend` and `probe` outlive it.
  SequenceCore(
      SequenceCoreOptions options, backend::SequenceBackend& backend, SequenceProbe& probe
  );

  // Where a request has to pass before add(). Thread-safe.
  [[nodiscard]] SequenceDoor& door() { return state_.door; }

  // Takes a request that the door let in into the queue.
  void add(SequenceArrival arrival);
  // Takes a prefix whose name is free and that fits the limits: what is missing of it in memory is
  // computed when nobody waits.
  void add_prefix(PrefixArrival arrival);
  void remove_prefix(const std::string& name);
  // Nothing that was computed with this adapter is kept any longer than who runs with it needs it.
  void forget_adapter(const NamedAdapter& adapter);

  struct Turn {
    const backend::SequenceStep* step = nullptr;  // to be run; commit() must follow
    TimePoint wait_until = kNoDeadline;           // where there is none: look again then
  };
  [[nodiscard]] Turn plan(TimePoint now);
  void commit(const Status& status, TimePoint began, TimePoint now);

  // Gives up the step that runs. On any thread.
  void abort() { state_.closing.store(true, std::memory_order_relaxed); }
  // Ends everything inside, and gives the store what it lacks of the prefix tree.
  void close(const Status& status, TimePoint now);

  [[nodiscard]] const SequenceState& state() const { return state_; }

 private:
  [[nodiscard]] TimePoint next_look(TimePoint now) const;
  void show_store();
  void show();

  SequenceState state_;
};

}  // namespace cortex::scheduler
