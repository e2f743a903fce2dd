// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/status.h"
#include "request/model_facts.h"
#include "request/sampling.h"
#include "request/sequence.h"

namespace cortex::backend {

// A row of the engine's memory that tokens belong to: 0 … SequenceModel::sequences_max - 1.
using SequenceId = std::int32_t;

// What is to be known of a loaded language model.
struct SequenceModel {
  std::string architecture;  // "llama"
  std::string description;   // "llama 135M Q4_1", for people
  WeightFacts weights;
  std::size_t vocabulary_size = 0;
  std::size_t context_length = 0;  // most tokens of one sequence
  std::size_t cells = 0;           // tokens that the memory holds, each counted once however many
                                   // sequences share it
  std::size_t sequences_max = 0;   // ids
  std::size_t step_rows_max = 0;   // rows of one step
  std::size_t bytes_per_cell = 0;  // of memory, and about of a saved state
  // Of memory beside the cells, for each id whether it is in use or not (the state of a recurrent
  // model); 0: none.
  std::size_t bytes_per_sequence = 0;
  std::size_t memory_bytes = 0;  // weights and memory
  // False where a part of a sequence cannot be removed or shared (recurrent and sliding-window
  // memories): nothing of such a model is cached by prefix.
  bool can_cut = true;
  std::string chat_template;  // Jinja, as the file has it; empty: none
  Token begin = -1;           // put before a text by tokenize(); -1: none
  std::vector<Token> ends;    // end-of-generation tokens
  std::string digest;         // names the file's content, for caches that outlive the process
};

// Text to tokens and back. Immutable and thread-safe; lives as long as its backend.
class Vocabulary {
 public:
  virtual ~Vocabulary() = default;

  // `special`: text like "<|im_end|>" becomes the special token; `begin`: the begin token comes
  // first where the model wants one. kInvalidArgument for text that is no UTF-8.
  [[nodiscard]] virtual Result<std::vector<Token>> tokenize(
      std::string_view text, bool begin, bool special
  ) const = 0;
  // The bytes of a token, perhaps a part of a character; special tokens give their own text only
  // when `special`. REQUIRES: 0 <= token < vocabulary_size.
  [[nodiscard]] virtual std::string piece(Token token, bool special) const = 0;
  [[nodiscard]] virtual bool is_end(Token token) const = 0;
};

// An adapter (LoRA) in memory. Freed with its last owner, on the lane's thread.
class SequenceAdapter {
 public:
  virtual ~SequenceAdapter() = default;
  [[nodiscard]] virtual std::size_t memory_bytes() const = 0;
  // Names the file's content as SequenceModel::digest does.
  [[nodiscard]] virtual const std::string& digest() const = 0;
};

// One token of a step. Positions of a sequence go up by one.
struct StepRow {
  Token token = 0;
  std::int32_t position = 0;
  SequenceId sequence = 0;
  bool output = false;  // its logits are wanted
};

// One run of the engine: rows of any sequences, prompt and answer alike, in order.
struct SequenceStep {
  std::span<const StepRow> rows;
  const SequenceAdapter* adapter = nullptr;  // of all rows; null: the base model
  float adapter_scale = 1;
  // Asked between parts of the work, on the engine's threads: true ends the step with kCancelled.
  std::function<bool()> abort;
};

// What a sampler is given beside the logits.
struct SampleOptions {
  std::span<const std::uint32_t> allowed;  // a bit for each token; empty: all
  std::optional<std::size_t> top_logprobs;
};

// Draws the tokens of one sequence. Not thread-safe; samplers of different sequences may run at
// once, off the lane's thread, between two steps.
class TokenSampler {
 public:
  virtual ~TokenSampler() = default;
  // `logits`: one for each token. kFailedPrecondition when nothing is allowed.
  [[nodiscard]] virtual Result<SampledToken> sample(
      std::span<const float> logits, const SampleOptions& options
  ) = 0;
  // Remembers a token for the penalties: of the prompt, and each that was drawn.
  virtual void accept(Token token) = 0;
};

// One loaded version of a language model: weights, and one memory that all its sequences share.
//
// Thread: the lane's, one call at a time, but for vocabulary() and model(), which anybody may call,
// and what `TokenSampler` says. Nothing throws.
class SequenceBackend {
 public:
  virtual ~SequenceBackend() = default;

  [[nodiscard]] virtual const SequenceModel& model() const = 0;
  [[nodiscard]] virtual const Vocabulary& vocabulary() const = 0;

  // Runs a step. kResourceExhausted: no place in memory, nothing happened. kCancelled and
  // kInternal: rows that came first may have been stored; the caller removes what it does not want
  // from the sequences of the step.
  [[nodiscard]] virtual Status decode(const SequenceStep& step) = 0;
  // The logits of row `row` of the last step; valid until the next. REQUIRES: it was an output row.
  [[nodiscard]] virtual std::span<const float> logits(std::size_t row) const = 0;

  // Positions [begin, end) of `from` belong to `to`, too; no bytes are copied. REQUIRES: can_cut,
  // or the whole of a sequence.
  virtual void share(SequenceId from, SequenceId to, std::int32_t begin, std::int32_t end) = 0;
  // Positions [begin, end) no longer belong to `sequence`; a cell of no sequence is free. `end` of
  // -1: up to the last. REQUIRES: can_cut, or the whole.
  virtual void remove(SequenceId sequence, std::int32_t begin, std::int32_t end) = 0;

  // The memory of a sequence as bytes, and back into one that is empty. Bytes from another model or
  // of another form are kInvalidArgument; no room for them is kResourceExhausted; the sequence is
  // empty then. `digest` of the model must have been compared before.
  [[nodiscard]] virtual Result<std::vector<std::byte>> save(SequenceId sequence) = 0;
  [[nodiscard]] virtual Status restore(SequenceId sequence, std::span<const std::byte> state) = 0;

  // `sequence_seed`: what the draws of this sequence start from.
  [[nodiscard]] virtual std::unique_ptr<TokenSampler> make_sampler(
      const SamplingSettings& settings, std::uint64_t sequence_seed
  ) const = 0;

  // Reads an adapter; kInvalidArgument with the reason where the file does not fit the model. May
  // be called on any thread.
  [[nodiscard]] virtual Result<std::shared_ptr<const SequenceAdapter>> load_adapter(
      const std::filesystem::path& file
  ) = 0;
};

struct SequenceBackendOptions {
  std::filesystem::path model_file;               // in the version folder
  std::string model_name;                         // for messages
  std::size_t threads = 1;                        // of one step, from the core budget
  std::size_t context_length = 0;                 // 0: the model's own
  std::size_t cells = 0;                          // 0: the backend's choice
  std::size_t sequences_max = 0;                  // at once; 0: the backend's choice
  std::map<std::string, std::string> parameters;  // the model configuration's
};

// An engine for language models. Made once per process by app. Thread-safe.
class SequenceEngine {
 public:
  virtual ~SequenceEngine() = default;

  [[nodiscard]] virtual std::string_view name() const = 0;      // "llama"
  [[nodiscard]] virtual std::string_view platform() const = 0;  // as clients see it: "llama_gguf"
  [[nodiscard]] virtual std::string version(
  ) const = 0;  // of the library; empty before it is opened
  [[nodiscard]] virtual std::string_view default_filename() const = 0;  // "model.gguf"

  // Reads and prepares the model. A file that cannot be served is kInvalidArgument or
  // kFailedPrecondition with a text that names the cause for its owner.
  [[nodiscard]] virtual Result<std::unique_ptr<SequenceBackend>> load(
      const SequenceBackendOptions& options
  ) = 0;
};

}  // namespace cortex::backend
