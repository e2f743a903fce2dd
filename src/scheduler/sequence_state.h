// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "cache/named_prefixes.h"
#include "cache/prefix_store.h"
#include "cache/prefix_tree.h"
#include "scheduler/draft_model.h"
#include "scheduler/fair_queue.h"
#include "scheduler/lane_sequence.h"
#include "scheduler/recall_mail.h"
#include "scheduler/sequence_door.h"
#include "scheduler/sequence_probe.h"
#include "scheduler/step_policy.h"

namespace cortex::scheduler {

struct SequenceCoreOptions {
  ModelIdentity identity;
  std::size_t running_max = 0;  // sequences at once; 0: by the backend's ids
  std::size_t queue_requests_max = 512;
  std::size_t queue_tokens_max = 0;  // 0: 16 contexts
  std::chrono::microseconds first_token_max{0};
  double stretch_max = 4;
  std::chrono::microseconds token_interval{0};
  bool prefix_cache = true;
  std::size_t draft_tokens_max = 8;  // that a step carries of one sequence; 0: no speculation
  double draft_gain_min = kDraftGainMin;
  // A small model that foretells, too; DraftModel::fits(). Its steps are measured by the clock.
  std::shared_ptr<backend::SequenceBackend> draft_backend;
  const Clock* clock = nullptr;
  std::size_t saved_bytes_max = std::size_t{256} << 20;  // states of sequences outside
  std::uint64_t seed = 1;                                // of requests that bring none
  // Of prefixes that have no place in the model's memory; null: they are forgotten.
  std::shared_ptr<cache::PrefixStore> store;
  bool store_outlives = false;  // it has a disk: what lies in memory is kept there without need
  std::function<void()> wake;   // called on any thread when plan() should be called again
  // Called on the lane's thread: so many tokens of that named prefix are in memory now.
  std::function<void(const std::string& name, std::size_t tokens)> on_prefix_held;
};

// Most tokens that all named prefixes of a model may have together: half of its memory.
[[nodiscard]] cache::NamedPrefixLimits named_prefix_limits(const backend::SequenceModel& model);

// A prefix on its way from the model's memory to the store, which goes on over several steps.
struct PrefixCopy {
  cache::PrefixSpace space;  // in the store
  std::vector<Token> tokens;
  cache::PrefixTree::Pin pin;
  std::size_t copied = 0;        // of the tokens
  std::vector<std::byte> state;  // their pieces
};

// Everything that a sequence lane knows, for its actions (actions/actions.h). Thread: the lane's.
struct SequenceState {
  SequenceState(
      SequenceCoreOptions core_options, backend::SequenceBackend& engine, SequenceProbe& counters
  );

  // Which sequences may share a step.
  using Group = std::pair<const NamedAdapter*, float>;

  const SequenceCoreOptions options;
  backend::SequenceBackend& backend;
  SequenceProbe& probe;
  const std::size_t running_max;  // ids [0, running_max) are the runners'
  const std::size_t capacity;     // cells
  const std::size_t length_max;   // tokens of one sequence: what context and memory hold
  const bool shares_prefixes;
  const bool speculates;
  const backend::SequenceId copy_id;  // empty but while a piece of a state is copied
  const std::shared_ptr<cache::PrefixStore>
      store;  // null where nothing is shared, or no id is left
  SequenceDoor door;

  cache::PrefixTree tree;
  cache::NamedPrefixes named;  // holds pins of the tree
  std::map<std::string, PrefixArrival> named_arrivals;
  std::unique_ptr<Generation> named_next;  // reads one of them soon
  TimePoint named_after{};                 // not before
  FairQueue queue;
  std::map<std::uint64_t, std::unique_ptr<Generation>> waiting;  // by ticket
  std::vector<std::unique_ptr<Generation>> running;              // in order of admission
  std::map<std::string, std::size_t> slots_by_flow;              // sequences that run, of each flow
  std::size_t slots = 0;                                         // over all flows
  std::vector<backend::SequenceId> free_ids;
  std::size_t own_cells = 0;     // over all sequences
  std::size_t shared_cells = 0;  // over all forks, each span once
  std::size_t saved_bytes = 0;
  std::atomic<bool> closing{false};  // the step that runs is wanted by nobody; set on any thread
  std::uint64_t tickets = 0;
  std::uint64_t orders = 0;
  std::mt19937_64 random;

  StepCost cost;
  StepPolicy policy;
  DraftProbes draft_probes;
  std::unique_ptr<DraftModel> draft_model;  // null: none
  std::uint64_t steps = 0;
  std::size_t last_prompt_rows = 0;  // of the last step that read prompts
  // Where what was computed with an adapter lies in the tree; by the adapter's number.
  std::map<std::uint64_t, std::set<cache::PrefixSpace>> spaces;
  // The adapter of a space in the tree, and what it is in the store.
  std::map<std::string, std::string> stored_adapters;
  const std::shared_ptr<RecallMail> recall_mail;
  std::size_t recalling = 0;             // requests that wait for the disk
  std::size_t recalled_bytes = 0;        // of states that came from it and were not used yet
  std::optional<PrefixCopy> copying;     // to the store
  TimePoint keep_after{};                // no piece of a copy before
  cache::PrefixStoreCounts store_shown;  // what the probe was told of the store
  Group group{nullptr, 1};               // of the last step
  TimePoint slice_began{};               // of that group
  std::map<Group, std::uint64_t> turns;  // the step at which a group was served last
  std::vector<std::uint32_t> mask;       // of a constraint
  double prompt_tokens = 0;              // of a request, on the average
  double answer_tokens = 0;              // likewise
  double computed_share = 1;             // of a prompt, likewise: what no cache spared

  // The step that runs.
  backend::SequenceStep step;
  StepShape shape;
  std::vector<backend::StepRow> rows;
  std::vector<LaneSequence*> members;
  std::size_t draft_rows = 0;
  std::vector<std::shared_ptr<ResponseStream>> step_streams;

  // Where states of this space lie in the store; none where it has no place there.
  [[nodiscard]] std::optional<cache::PrefixSpace> stored_space(const cache::PrefixSpace& space
  ) const;
  // From now on what this adapter computed is found in the tree, and later in the store.
  void know_space(
      const cache::PrefixSpace& space,
      const std::shared_ptr<const NamedAdapter>& adapter,
      float scale
  );

  [[nodiscard]] std::size_t cells_used() const { return own_cells + shared_cells + tree.cells(); }

  template <typename Call>
  void each_sequence(const Call& call) const {
    for (const auto& generation : running) {
      for (const auto& sequence : generation->sequences) call(*sequence);
    }
  }
};

// What a sequence has in memory.

// Gives it an id and what the tree holds of its tokens, but for the last, whose logits are needed.
// REQUIRES: nothing of it is in memory and an id is free.
void enter_memory(SequenceState& state, LaneSequence& sequence, TimePoint now);
// Takes everything of it out of memory.
void leave_memory(SequenceState& state, LaneSequence& sequence);
// Does what the tree asks for.
void apply_moves(SequenceState& state, std::span<const cache::KvMove> moves);
// The tree gives up cells.
void evict_prefixes(SequenceState& state, std::size_t cells, TimePoint now);
// Cells that nobody has, counting what the tree could give up and what those inside will still
// need for their prompts and a little of their answers.
[[nodiscard]] std::size_t cells_available(const SequenceState& state);
// What is kept free for a sequence's answer when it is let in.
[[nodiscard]] std::size_t headroom_of(const LaneSequence& sequence);
[[nodiscard]] std::size_t headroom_of(std::size_t tokens_to_come);
// Forgets what it saved.
void drop_saved(SequenceState& state, LaneSequence& sequence);

}  // namespace cortex::scheduler
