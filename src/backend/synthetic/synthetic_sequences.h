// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "backend/sequence_backend.h"
#include "backend/synthetic/synthetic_engine.h"

namespace cortex::backend {

// A language model for tests that is told what to say, how long it takes and when it fails. No file
// of weights.
//
// Every byte is a token, then come <|begin|> 256, <|end|> 257, <|im_start|> 258, <|im_end|> 259;
// <|end|> and <|im_end|> end an answer. The memory is real: cells with a token, a position, the
// sequences they belong to, and a state that follows from the token, the adapter and the states of
// all cells before it. Logits follow from the state alone, so that a mistake in sharing, cutting,
// restoring or adapters changes what is said. A call that breaks the contract (a position out of
// order, an id out of range, a part cut off where nothing can be cut) ends the process.
//
// A model is the text file sequences.synthetic of its version folder, `key: value` on each line and
// # before remarks, or the parameters of its configuration, which win. Both may be empty. The keys,
// with what holds without them:
//   reply            hash: pseudo-random text that follows from the tokens · script: `answer`, then
//                    the end. It follows the mark <|im_start|>NAME and a line's end; without such a
//                    mark, whatever part of it the text does not end with yet
//   answer           {}: the last user's message said once more; any other text, in which {} stands
//                    for that message and \n for a line's end
//   text             printable: `hash` says ASCII · bytes: any byte
//   end_every        0: `hash` ends after about one token in so many
//   weights          0: models of another number say other things
//   context_length   1024, cells 4096, sequences_max 64, step_rows_max 512, can_cut true
//   chat_template    ChatML; none: the file has none
//   step_us, row_us  0: what a step takes, and each of its rows; cell_ns 0: each cell a row attends
//                    to, which are those of its sequence
//   part_rows        32: rows between two questions whether to abort
//   fail_at          0: the n-th step fails, fail_every 0: every n-th
//   fail_code        internal, cancelled: after fail_rows (0) were stored · resource_exhausted: and
//                    nothing happened
//   load_delay_ms, load_fails (the reason)
// The options' context_length and cells win over the keys. An adapter is any file whose first line
// is "synthetic adapter"; what follows tells one from another.
//
// The sampler honours temperature, top_k, top_p, min_p, logit_bias, the repeat, frequency and
// presence penalties and what is allowed; it leaves typical_p, dry, xtc and mirostat alone.
class SyntheticSequences final : public SequenceBackend {
 public:
  // Since it was made. Read on any thread.
  struct Counts {
    std::size_t cells_used = 0;
    std::uint64_t steps = 0;   // also those that failed
    std::uint64_t tokens = 0;  // computed
    std::uint64_t saves = 0;
    std::uint64_t restores = 0;
  };

  using Keys = std::map<std::string, std::string>;

  // kInvalidArgument names a key or value that is none; kFailedPrecondition with load_fails.
  [[nodiscard]] static Result<std::unique_ptr<SyntheticSequences>> make(
      const Keys& keys, SyntheticOptions options = {}
  );
  ~SyntheticSequences() override;

  [[nodiscard]] Counts counts() const;
  // The tokens of a sequence at the positions it holds, first to last. Thread: the lane's.
  [[nodiscard]] std::vector<Token> tokens_of(SequenceId sequence) const;

  [[nodiscard]] const SequenceModel& model() const override;
  [[nodiscard]] const Vocabulary& vocabulary() const override;
  [[nodiscard]] Status decode(const SequenceStep& step) override;
  [[nodiscard]] std::span<const float> logits(std::size_t row) const override;
  void share(SequenceId from, SequenceId to, std::int32_t begin, std::int32_t end) override;
  void remove(SequenceId sequence, std::int32_t begin, std::int32_t end) override;
  [[nodiscard]] Result<std::vector<std::byte>> save(SequenceId sequence) override;
  [[nodiscard]] Status restore(SequenceId sequence, std::span<const std::byte> state) override;
  [[nodiscard]] std::unique_ptr<TokenSampler> make_sampler(
      const SamplingSettings& settings, std::uint64_t sequence_seed
  ) const override;
  [[nodiscard]] Result<std::shared_ptr<const SequenceAdapter>> load_adapter(
      const std::filesystem::path& file
  ) override;

 private:
  struct Inner;
  explicit SyntheticSequences(std::unique_ptr<Inner> inner);
  std::unique_ptr<Inner> inner_;
};

// Loads them. Thread-safe.
class SyntheticSequenceEngine final : public SequenceEngine {
 public:
  explicit SyntheticSequenceEngine(SyntheticOptions options = {});

  [[nodiscard]] std::string_view name() const override { return "synthetic_sequences"; }
  [[nodiscard]] std::string_view platform() const override { return "synthetic_sequences"; }
  [[nodiscard]] std::string version() const override { return "1"; }
  [[nodiscard]] std::string_view default_filename() const override { return "sequences.synthetic"; }
  [[nodiscard]] Result<std::unique_ptr<SequenceBackend>> load(const SequenceBackendOptions& options
  ) override;

 private:
  const SyntheticOptions options_;
};

}  // namespace cortex::backend
