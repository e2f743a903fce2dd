// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "base/clock.h"

namespace cortex::scheduler {

// A distribution so far. `counts[i]` holds what is up to `bounds[i]` and above the bound before;
// the last one what is above all bounds.
template <std::size_t kBounds>
struct ProbeDistribution {
  const std::array<double, kBounds>* bounds = nullptr;
  std::array<std::uint64_t, kBounds + 1> counts{};
  double sum = 0;
};

// A distribution that one thread writes and anybody reads, without a lock.
template <std::size_t kBounds>
class ProbeHistogram {
 public:
  explicit ProbeHistogram(const std::array<double, kBounds>& bounds) : bounds_(bounds) {}

  void add(double value) {
    const auto place = std::lower_bound(bounds_.begin(), bounds_.end(), value) - bounds_.begin();
    counts_[static_cast<std::size_t>(place)].fetch_add(1, std::memory_order_relaxed);
    sum_.store(sum_.load(std::memory_order_relaxed) + value, std::memory_order_relaxed);
  }
  void add(Duration value) { add(std::chrono::duration<double>(value).count()); }

  [[nodiscard]] ProbeDistribution<kBounds> read() const {
    ProbeDistribution<kBounds> out;
    out.bounds = &bounds_;
    for (std::size_t i = 0; i < counts_.size(); ++i) {
      out.counts[i] = counts_[i].load(std::memory_order_relaxed);
    }
    out.sum = sum_.load(std::memory_order_relaxed);
    return out;
  }

 private:
  const std::array<double, kBounds>& bounds_;
  std::array<std::atomic<std::uint64_t>, kBounds + 1> counts_{};
  std::atomic<double> sum_{0};
};

// Seconds and tokens, wide enough for a small model on a fast machine and a large one on a slow.
inline constexpr std::array<double, 17> kSecondsBounds = {
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1200
};
inline constexpr std::array<double, 14> kTokensBounds = {
    1, 4, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 32768, 131072
};
// Sequences of a request.
inline constexpr std::array<double, 5> kSequencesBounds = {1, 2, 5, 10, 20};
using SecondsHistogram = ProbeHistogram<kSecondsBounds.size()>;
using TokensHistogram = ProbeHistogram<kTokensBounds.size()>;
using SequencesHistogram = ProbeHistogram<kSequencesBounds.size()>;
using SecondsDistribution = ProbeDistribution<kSecondsBounds.size()>;
using TokensDistribution = ProbeDistribution<kTokensBounds.size()>;
using SequencesDistribution = ProbeDistribution<kSequencesBounds.size()>;

// What the lane of a language model counted so far.
struct SequenceCounts {
  std::uint64_t accepted = 0;           // requests
  std::uint64_t finished_stop = 0;      // sequences, by reason
  std::uint64_t finished_length = 0;    //
  std::uint64_t finished_abort = 0;     // their client left, or their time or the server ended
  std::uint64_t finished_error = 0;     // the engine or a constraint failed
  std::uint64_t failed = 0;             // requests that the engine or a constraint failed
  std::uint64_t cancelled = 0;          // requests whose client left
  std::uint64_t expired = 0;            // requests past deadline or queue timeout
  std::uint64_t rejected_requests = 0;  // refused: as many requests wait as may
  std::uint64_t rejected_tokens = 0;    // refused: as many prompt tokens wait as may
  std::uint64_t rejected_time = 0;      // refused: the queue takes longer than anybody may wait
  std::uint64_t rejected_closed = 0;    // refused or ended because the lane drains or ends
  std::uint64_t rejected_invalid = 0;   // refused: does not fit the model
  std::uint64_t rejected_adapter = 0;   // refused: no such adapter
  std::uint64_t prompt_tokens = 0;      // of admitted requests
  std::uint64_t cached_tokens = 0;      // of these, not computed again
  std::uint64_t computed_tokens = 0;    // prompt tokens that the engine ran, again ones too
  std::uint64_t generated_tokens = 0;
  std::uint64_t drafts = 0;        // foretold ends that steps carried, of one token or more
  std::uint64_t draft_tokens = 0;  // of these
  std::uint64_t draft_tokens_accepted = 0;  // of these, drawn
  // The two above, by what foretold them: the text before, or the small model.
  std::uint64_t lookup_draft_tokens = 0;
  std::uint64_t lookup_draft_tokens_accepted = 0;
  std::uint64_t model_draft_tokens = 0;
  std::uint64_t model_draft_tokens_accepted = 0;
  std::uint64_t draft_model_steps = 0;  // of the small model that foretells
  std::uint64_t prefix_queries = 0;     // tokens that were looked up, and of these found
  std::uint64_t prefix_hits = 0;
  // Of these: in the model's memory, restored from beside it, and from the disk.
  std::uint64_t hits_tree = 0;
  std::uint64_t hits_memory = 0;
  std::uint64_t hits_disk = 0;
  std::uint64_t hits_external = 0;    // the last two
  std::uint64_t restored_tokens = 0;  // for requests and named prefixes alike
  std::uint64_t restores_failed = 0;  // states that did not come, or not in time
  std::uint64_t prefixes_saved = 0;
  std::uint64_t prefixes_evicted_memory = 0;  // of the store, for its budgets
  std::uint64_t prefixes_evicted_disk = 0;
  std::uint64_t prefix_writes_failed = 0;  // or dropped: too many waited
  std::uint64_t named_released = 0;        // times that named prefixes gave way to what runs
  std::uint64_t prefix_waits = 0;          // requests that waited for a prompt being read
  std::uint64_t preemptions_kept = 0;      // sequences that went out with their state
  std::uint64_t preemptions_recomputed = 0;
  std::uint64_t engine_full = 0;  // steps for which the engine had less room than counted
  std::uint64_t evicted_cells = 0;
  std::uint64_t pauses = 0;  // of streams whose reader was slow
  std::uint64_t adapter_switches = 0;
  std::uint64_t steps = 0;
  std::uint64_t step_failures = 0;
  std::uint64_t step_aborts = 0;
  // Now.
  std::uint64_t running = 0;         // sequences in memory
  std::uint64_t preempted = 0;       // sequences outside
  std::uint64_t waiting = 0;         // requests
  std::uint64_t waiting_tokens = 0;  // of their prompts
  std::uint64_t cells_used = 0;
  std::uint64_t cells_total = 0;
  std::uint64_t prefix_cells = 0;         // of cells_used, the prefix cache's
  std::uint64_t saved_bytes = 0;          // states of sequences outside
  std::uint64_t prefix_memory_bytes = 0;  // of the store
  std::uint64_t prefix_disk_bytes = 0;
  std::uint64_t named_prefixes = 0;
  std::uint64_t named_cells = 0;    // of prefix_cells, theirs
  SecondsDistribution first_token;  // from arrival
  SecondsDistribution inter_token;
  SecondsDistribution queue;
  SecondsDistribution prefill;    // from admission to the first token
  SecondsDistribution decode;     // from the first token to the last
  SecondsDistribution inference;  // from admission to the last token
  SecondsDistribution per_token;  // a sequence's, on average, of its tokens behind the first
  SecondsDistribution end_to_end;
  SecondsDistribution step;
  TokensDistribution request_prompt_tokens;
  TokensDistribution request_generated_tokens;
  TokensDistribution request_longest_tokens;   // of its longest sequence
  TokensDistribution request_tokens_max;       // of a sequence, as far as the context reaches
  TokensDistribution request_computed_tokens;  // of its prompt
  SequencesDistribution request_sequences;
  TokensDistribution step_rows;
};

// The counters of a sequence lane: written with relaxed atomics, read by whoever exports them. A
// reading is no consistent cut, each number in it is right by itself. Thread-safe; the histograms
// have one writer, the lane's thread.
class SequenceProbe {
 public:
  using Counter = std::atomic<std::uint64_t>;

  Counter accepted{0}, finished_stop{0}, finished_length{0}, failed{0}, cancelled{0}, expired{0};
  Counter finished_abort{0}, finished_error{0};
  Counter rejected_requests{0}, rejected_tokens{0}, rejected_time{0}, rejected_closed{0},
      rejected_invalid{0};
  Counter rejected_adapter{0};
  Counter prompt_tokens{0}, cached_tokens{0}, computed_tokens{0}, generated_tokens{0};
  Counter drafts{0}, draft_tokens{0}, draft_tokens_accepted{0}, draft_model_steps{0};
  Counter model_draft_tokens{0}, model_draft_tokens_accepted{0};
  Counter prefix_queries{0}, prefix_hits{0}, prefix_waits{0};
  Counter hits_memory{0}, hits_disk{0}, restored_tokens{0}, restores_failed{0};
  Counter prefixes_saved{0}, prefixes_evicted_memory{0}, prefixes_evicted_disk{0};
  Counter prefix_writes_failed{0}, prefix_memory_bytes{0}, prefix_disk_bytes{0};
  Counter named_released{0}, named_prefixes{0}, named_cells{0};
  Counter preemptions_kept{0}, preemptions_recomputed{0}, engine_full{0}, evicted_cells{0};
  Counter pauses{0}, adapter_switches{0}, steps{0}, step_failures{0}, step_aborts{0};
  Counter running{0}, preempted{0}, waiting{0}, waiting_tokens{0};
  Counter cells_used{0}, cells_total{0}, prefix_cells{0}, saved_bytes{0};
  SecondsHistogram first_token{kSecondsBounds}, inter_token{kSecondsBounds};
  SecondsHistogram queue{kSecondsBounds}, prefill{kSecondsBounds}, decode{kSecondsBounds};
  SecondsHistogram inference{kSecondsBounds}, per_token{kSecondsBounds};
  SecondsHistogram end_to_end{kSecondsBounds}, step{kSecondsBounds};
  TokensHistogram request_prompt_tokens{kTokensBounds}, request_generated_tokens{kTokensBounds};
  TokensHistogram request_longest_tokens{kTokensBounds}, request_tokens_max{kTokensBounds};
  TokensHistogram request_computed_tokens{kTokensBounds}, step_rows{kTokensBounds};
  SequencesHistogram request_sequences{kSequencesBounds};

  static void add(Counter& counter, std::uint64_t by = 1) {
    counter.fetch_add(by, std::memory_order_relaxed);
  }
  static void set(Counter& gauge, std::uint64_t value) {
    gauge.store(value, std::memory_order_relaxed);
  }

  [[nodiscard]] SequenceCounts read() const;
};

}  // namespace cortex::scheduler
