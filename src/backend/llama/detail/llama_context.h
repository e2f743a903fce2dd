// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <llama.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "backend/llama/detail/llama_weights.h"
#include "base/status.h"

namespace cortex::backend {

// The rows of one call of the library, kept so that a call allocates nothing.
class LlamaBatch {
 public:
  void clear();
  void add(llama_token token, llama_pos position, llama_seq_id sequence, bool output);
  [[nodiscard]] std::size_t size() const { return tokens_.size(); }
  // Points into this one.
  [[nodiscard]] llama_batch rows();

 private:
  std::vector<llama_token> tokens_;
  std::vector<llama_pos> positions_;
  std::vector<llama_seq_id> sequences_;
  std::vector<llama_seq_id*> sequence_places_;
  std::vector<std::int32_t> sequence_counts_;
  std::vector<std::int8_t> outputs_;
};

// A context of a model with its threads. One call at a time.
class LlamaContext {
 public:
  // kResourceExhausted with what the library said. `threads` stands for those of `parameters`;
  // `cell_attention`: with the attention of cell_attention.h where there is one.
  [[nodiscard]] static Result<std::unique_ptr<LlamaContext>> make(
      std::shared_ptr<const LlamaWeights> weights,
      llama_context_params parameters,
      std::size_t threads,
      bool cell_attention
  );
  LlamaContext(const LlamaContext&) = delete;
  LlamaContext& operator=(const LlamaContext&) = delete;
  ~LlamaContext();

  [[nodiscard]] llama_context* get() const { return context_; }
  // Null: the model keeps nothing of a text.
  [[nodiscard]] llama_memory_t memory() const { return memory_; }

  // kCancelled when the abort function of the parameters said so, kResourceExhausted without room
  // in the memory, kInternal with the library's text.
  [[nodiscard]] Status decode(LlamaBatch& batch);
  [[nodiscard]] Status encode(LlamaBatch& batch);

 private:
  LlamaContext(std::shared_ptr<const LlamaWeights> weights, llama_context* context);
  void attach_threads(std::size_t threads);
  [[nodiscard]] Status call(
      decltype(&::llama_decode) function, const char* name, LlamaBatch& batch
  );

  const std::shared_ptr<const LlamaWeights> weights_;
  const LlamaFunctions& api_;
  llama_context* const context_;
  const llama_memory_t memory_;
  ggml_threadpool* threads_ = nullptr;
};

}  // namespace cortex::backend
