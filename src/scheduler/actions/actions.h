// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <optional>
#include <span>

#include "base/clock.h"
#include "base/status.h"
#include "scheduler/sequence_state.h"

// What a step of a sequence lane may do: one file each, run in this order by SequenceCore.
//
//   before the engine's run
//     retire    who left, expired or ended goes, what the reader wants no more of ends, and what a
//               slow reader left is offered again
//     restore   sequences that had to go outside come back as far as memory reaches
//     recall    states of prefixes that came from the disk let their requests into the queue
//     admit     waiting requests come in; those that waited for another's prompt begin
//     hold      prefixes with names that memory lacks are read where nobody waits
//     keep      prefixes are copied to the store, before they are evicted or the lane ends
//     compose   which rows run: an adapter's turn, decodes with their drafts, chunks of prompts
//     foretell  (asked for by compose) what decoding sequences probably say next
//     preempt   (asked for by the others) makes room: prefixes first, then whoever came last
//     tell_pace the door learns when whoever comes now would be served
//   after it
//     settle    what ran is counted as computed, or undone where the run failed
//     publish   what was computed of prompts goes to the prefix tree, before forks part from it
//     sample    tokens are drawn, the first of a prompt makes the forks; of a draft, as long as
//               what is drawn is what was foretold
//     retire    as above
//
// Thread: the lane's.
namespace cortex::scheduler::actions {

// retire.cpp
void retire(SequenceState& state, TimePoint now);
// Ends everything that is inside.
void end_all(SequenceState& state, const Status& status, TimePoint now);
// Ends one sequence of a generation.
void end_sequence(SequenceState& state, LaneSequence& sequence, FinishReason reason);
// What came of a sequence, to be sent.
[[nodiscard]] TokenOutput& output_of(LaneSequence& sequence);

// The state of a sequence is copied out of the memory, or in again, at about this rate.
inline constexpr double kCopyBytesPerSecond = 1e9;

// Averages over requests are of about so many.
inline constexpr double kRequestsRemembered = 16;

// restore.cpp
void restore(SequenceState& state, TimePoint now);

// recall.cpp
// Asks the disk for the state of a prefix that memory lacks, where that is cheaper than computing
// it. True: the request waits for it outside the queue, for a bounded time.
[[nodiscard]] bool recall(SequenceState& state, Generation& generation, TimePoint now);
void take_recalled(SequenceState& state, TimePoint now);
void drop_recalled(SequenceState& state, Generation& generation);
// A state in memory that is worth restoring where `known` tokens need not be computed anyway.
[[nodiscard]] std::optional<RecalledState> recalled_beyond(
    SequenceState& state, const Generation& generation, std::size_t known
);
// As enter_memory(), with that state; the tree has it then. False, and nothing happened, where the
// engine refuses. REQUIRES: so many cells are free.
[[nodiscard]] bool enter_recalled(
    SequenceState& state, LaneSequence& sequence, const RecalledState& recalled, TimePoint now
);

// admit.cpp
void enqueue(SequenceState& state, const Generation& generation);
void admit(SequenceState& state, TimePoint now);
// With so many further sequences each would go on too slowly: where rows are dear, more at once are
// not more per second.
[[nodiscard]] bool stretches_too_far(const SequenceState& state, std::size_t further);
// Places that nobody may take who has some already.
[[nodiscard]] std::size_t reserved_places(const SequenceState& state);

// hold.cpp
void hold_prefixes(SequenceState& state, TimePoint now);
// The lane's own reader has read all of a named prefix: it stays, and the reader goes.
void hold_prefix(SequenceState& state, LaneSequence& sequence);
// Named prefixes may be evicted for a while: memory is short for what runs. False where none was
// held.
bool release_prefixes(SequenceState& state, TimePoint now);

// keep.cpp
// Copies to the store what would not outlive the process; beside streams, piece by piece. True when
// it did something and nobody waits: it may do more.
bool keep_prefix(SequenceState& state, TimePoint now);
// The rest of what is being copied, at once: its cells are needed.
void finish_copy(SequenceState& state, TimePoint now);
// What would be lost next, whole.
void keep_before_eviction(SequenceState& state, TimePoint now);
// At the end: what is left, as far as the store's queue reaches.
void keep_all_prefixes(SequenceState& state, TimePoint now);
// What is being copied is not wanted any more.
void give_up_copy(SequenceState& state);

// compose.cpp
// Fills the state's step; false where nothing can run.
[[nodiscard]] bool compose(SequenceState& state, TimePoint now);
// Whose prompt is read first, the lesser: in its level who has least inside for its weight, was
// given least, has least left to read. The prompt of somebody who asks one at a time is not read
// behind those of a flood.
struct ReadingTurn {
  std::size_t level = 0;
  double inside = 0;
  double given = 0;
  std::size_t pending = 0;
  auto operator<=>(const ReadingTurn&) const = default;
};
// With `pending` tokens of its prompt left. REQUIRES: its flow has places.
[[nodiscard]] ReadingTurn reading_turn(
    const SequenceState& state, const Generation& generation, std::size_t pending
);
// Of those inside that others follow, by their order: the best turn of those who do, also of who
// follows these. Whoever is waited for is read as early as who waits.
using InheritedTurns = std::map<std::uint64_t, ReadingTurn>;
[[nodiscard]] InheritedTurns inherited_turns(const SequenceState& state);
// The better of its own and what it inherits.
[[nodiscard]] ReadingTurn reading_turn(
    const SequenceState& state, const InheritedTurns& inherited, const LaneSequence& sequence
);

// foretell.cpp
// Makes the draft of a sequence that decodes, where it has none for its last token, from what it
// said before.
void foretell(SequenceState& state, LaneSequence& sequence);
// Asks the draft model, if there is one and its time pays, for those of whom that says too little.
void foretell_with_model(SequenceState& state, std::span<LaneSequence* const> decoding);
// The `number`th token of the step was drawn: true when the draft's row behind it counts now.
[[nodiscard]] bool came_true(
    SequenceState& state, LaneSequence& sequence, std::size_t number, Token drawn
);
// What did not come true leaves memory.
void drop_rest(SequenceState& state, LaneSequence& sequence);

// preempt.cpp
// Frees cells until so many are free; false where nobody is left who could go. At least one
// sequence stays inside.
[[nodiscard]] bool make_room(SequenceState& state, std::size_t cells, TimePoint now);
// Sends those outside whose reader is slow, until so many cells are available.
void make_stalled_give_way(SequenceState& state, std::size_t cells);
// The engine had less room than was counted.
void make_way_for_engine(SequenceState& state, TimePoint now);

// tell_pace.cpp
void tell_pace(SequenceState& state);

// settle.cpp: false where nothing of the step may be used.
[[nodiscard]] bool settle(SequenceState& state, const Status& status, Duration took, TimePoint now);

// publish.cpp
void publish_prompts(SequenceState& state, TimePoint now);
// All that was computed of a sequence.
void publish(SequenceState& state, LaneSequence& sequence, TimePoint now);

// sample.cpp
void sample(SequenceState& state, TimePoint now);

}  // namespace cortex::scheduler::actions
