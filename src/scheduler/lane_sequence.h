// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "backend/sequence_backend.h"
#include "base/clock.h"
#include "cache/prefix_store.h"
#include "cache/prefix_tree.h"
#include "request/model_config.h"
#include "request/request.h"
#include "request/response_stream.h"
#include "scheduler/draft_policy.h"
#include "scheduler/prompt_lookup.h"

namespace cortex::scheduler {

// An adapter under the name that requests give. `number` is new with every load: what was computed
// with one adapter is never taken for another's of the same name.
struct NamedAdapter {
  std::string name;
  std::uint64_t number = 0;
  std::shared_ptr<const backend::SequenceAdapter> adapter;
};

// A request on its way into the lane.
struct SequenceArrival {
  std::shared_ptr<const Request> request;
  std::shared_ptr<ResponseStream> stream;
  std::shared_ptr<const NamedAdapter> adapter;  // null: the base model
  TimePoint submitted{};
};

// Cells that forks share and the prefix tree does not hold; counted once while a fork is there.
struct SharedCells {
  SharedCells(std::size_t count, std::size_t& sum) : cells(count), total(sum) { total += cells; }
  ~SharedCells() { total -= cells; }
  SharedCells(const SharedCells&) = delete;
  SharedCells& operator=(const SharedCells&) = delete;

  std::size_t cells;
  std::size_t& total;
};

// Tokens of one sequence that a slow reader may leave before its sequences pause: what a step may
// bring at most.
inline constexpr std::size_t kUnsentTokensMax = kSpeculationTokensMax + 1;

// What is foretold of a sequence.
struct SequenceDraft {
  PromptLookup lookup;
  DraftRecord record;              // of the lookup
  std::size_t made_at = 0;         // tokens that the sequence had
  std::size_t asked_at = 0;        // likewise, when the draft model was asked
  bool by_model = false;           // it is the draft model's
  std::vector<Token> tokens;       // that would come next
  std::vector<std::size_t> alike;  // how sure each is, as records count it
  std::vector<double> chances;     // that all up to each of them do
};

// A prefix with a name on its way into the lane.
struct PrefixArrival {
  std::string name;
  cache::PrefixSpace space;
  std::vector<Token> tokens;
  std::shared_ptr<const NamedAdapter> adapter;  // null: the base model
  float adapter_scale = 1;
};

// The state of a prefix that the store gave back.
struct RecalledState {
  cache::PrefixStore::State bytes;
  std::size_t tokens = 0;  // of the prompt, but for its last
  std::size_t cells = 0;   // that it takes before what is beyond them is cut off
  bool from_disk = false;
};

struct Generation;

// One sequence of a generation. What it computes next is tokens[computed …]: its prompt, or the
// token that was drawn last, or both again after it was outside.
struct LaneSequence {
  enum class Phase : std::uint8_t {
    kOutside,    // has nothing in memory; comes back in its turn
    kFollowing,  // waits for a prompt that is being read and begins as its own does
    kInside,     // has an id, and its computed tokens are in memory
    kEnded,
  };

  Generation* generation = nullptr;
  std::uint32_t index = 0;
  std::uint64_t order = 0;  // of admission
  Phase phase = Phase::kOutside;
  backend::SequenceId id = -1;

  std::vector<Token> tokens;  // prompt and answer
  std::size_t prompt = 0;     // of these
  std::size_t computed = 0;   // of these, in memory
  // Whose cells its computed tokens are: the tree's, kept by the pin; its own; shared with forks.
  std::size_t own_cells = 0;
  std::shared_ptr<SharedCells> shared;
  cache::PrefixTree::Pin pin;

  std::unique_ptr<backend::TokenSampler> sampler;
  std::unique_ptr<TokenConstraint> constraint;

  std::uint64_t leader = 0;       // kFollowing: the order of whom it follows
  std::size_t leader_tokens = 0;  // and how many tokens they share
  std::vector<std::byte> saved;   // kOutside: its memory, or empty
  std::size_t saved_tokens = 0;
  std::unique_ptr<SequenceDraft> draft;  // null: nothing was foretold of it yet
  std::uint64_t last_step = 0;
  TimePoint last_token{};
  std::size_t drawn = 0;  // tokens, its end's too
  // In the step that runs.
  std::size_t step_rows = 0;
  std::size_t step_last_row = 0;
  std::size_t step_drafts = 0;  // of the rows, the last ones, which count once they came true

  [[nodiscard]] std::size_t answer() const { return tokens.size() - prompt; }
  [[nodiscard]] std::size_t pending() const { return tokens.size() - computed; }
  [[nodiscard]] bool inside() const { return phase == Phase::kInside; }
  // It goes on token by token; else a prompt, or what was computed before, is read.
  [[nodiscard]] bool decodes() const { return answer() > 0 && pending() == 1; }
};

// A request in the lane.
struct Generation {
  std::uint64_t ticket = 0;
  std::shared_ptr<const Request> request;
  std::shared_ptr<ResponseStream> stream;
  std::shared_ptr<const NamedAdapter> adapter;
  cache::PrefixSpace space;
  std::string flow;
  std::size_t level = 0;
  std::uint64_t seed = 0;
  TimePoint enqueued{};
  TimePoint expires = kNoDeadline;  // while it waits

  TimePoint admitted{};
  TimePoint first_token{};
  std::uint64_t last_step = 0;
  Timings timings;
  std::vector<std::unique_ptr<LaneSequence>> sequences;  // none while it waits; forks come later
  std::vector<TokenOutput> unsent;  // at most one for each sequence, in the order they were drawn
  std::vector<SampledToken> prompt_logprobs;
  Status failure;
  bool listens = false;  // on_room was set
  bool forgets = false;  // its adapter was removed: it leaves nothing in the prefix tree
  bool stalled = false;  // the reader is so slow that the sequences pause

  // No request, but the lane itself that reads a prefix which has this name; it draws nothing.
  std::string prefix_name;
  // Until then it waits for a state from the disk, in no queue.
  std::optional<TimePoint> recalls_until;
  std::size_t recalled_bytes = 0;         // of that state
  std::optional<RecalledState> recalled;  // and when it has come

  [[nodiscard]] const SequenceInput& input() const {
    return std::get<SequenceInput>(request->input);
  }
  [[nodiscard]] bool forked() const { return sequences.size() == input().sequences; }
  [[nodiscard]] bool ended() const {
    if (!forked()) return false;
    for (const auto& sequence : sequences) {
      if (sequence->phase != LaneSequence::Phase::kEnded) return false;
    }
    return true;
  }
};

}  // namespace cortex::scheduler
