// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <llama.h>

#include <atomic>
#include <cstddef>
#include <memory>
#include <vector>

#include "backend/llama/detail/gguf_head.h"
#include "backend/llama/detail/llama_context.h"
#include "backend/llama/detail/llama_settings.h"
#include "backend/llama/detail/llama_tokenizer.h"
#include "backend/llama/detail/llama_weights.h"
#include "backend/text_engine.h"
#include "base/mutex.h"

namespace cortex::backend {

// The library has a function of that name, too.
using LlamaPooling = enum llama_pooling_type;

// One loaded model that makes a vector, or a score, of every row of tokens.
//
// input_ids and attention_mask are INT64 [batch, length]; a row ends where its mask becomes 0, and
// what stands behind is not computed. Short rows share calls of the library, of step_rows tokens
// (more would cost more than it saves: every token is compared with all of its call); none sees
// another one.
//
// Thread-safe: one run at a time, another one waits.
class LlamaTextBackend final : public TensorBackend {
 public:
  [[nodiscard]] static Result<TextModel> load(
      std::shared_ptr<const LlamaLibrary> library, const TextModelOptions& options
  );

  [[nodiscard]] const ModelSignature& signature() const override { return signature_; }
  // kInvalidArgument: an id outside the vocabulary, a row without a token or with more than the
  // context length, zeros in the mask that are not at its end. kCancelled when `run.cancel` was set
  // before the end.
  [[nodiscard]] Status run(const TensorRun& run, std::vector<Tensor>& outputs) override;

 private:
  using Row = std::vector<llama_token>;

  explicit LlamaTextBackend(std::shared_ptr<const LlamaWeights> weights);
  [[nodiscard]] Status open(
      const TextModelOptions& options,
      const LlamaSettings& settings,
      LlamaPooling pooling,
      std::size_t vocabulary_size
  );
  [[nodiscard]] std::size_t length_of(const TextModelOptions& options) const;
  void sign(bool scores);
  [[nodiscard]] Status try_run();

  [[nodiscard]] Result<std::vector<Row>> rows_of(const TensorRun& run) const;
  [[nodiscard]] Result<Row> row_of(const std::int64_t* ids, const std::int64_t* mask, std::size_t)
      const;
  [[nodiscard]] Status run_rows(const TensorRun& run, std::vector<Tensor>& outputs);
  [[nodiscard]] Status compute(const std::vector<Row>& rows, const TensorRun& run, float* out)
      REQUIRES_LOCK(mutex_);
  [[nodiscard]] std::size_t fill(const std::vector<Row>& rows, std::size_t first)
      REQUIRES_LOCK(mutex_);
  [[nodiscard]] Status take_vectors(std::size_t count, float* out) const REQUIRES_LOCK(mutex_);
  static bool asked_to_abort(void* backend);

  const std::shared_ptr<const LlamaWeights> weights_;
  const LlamaFunctions& api_;
  ModelSignature signature_;
  std::size_t vocabulary_size_ = 0;
  std::size_t context_length_ = 0;
  std::size_t shared_tokens_max_ = 0;  // of one call of several rows
  std::size_t sequences_max_ = 0;      // of one call
  std::size_t width_ = 0;              // of a vector; 1: a score
  bool encodes_ = false;               // else it decodes, with a memory
  // Runs are long, and the context is one: who comes second waits.
  Mutex mutex_;
  std::unique_ptr<LlamaContext> context_;
  LlamaBatch batch_ GUARDED_BY(mutex_);
  // Of the run that goes on; read on its thread, inside the library.
  const std::atomic<bool>* cancel_ = nullptr;
};

}  // namespace cortex::backend
