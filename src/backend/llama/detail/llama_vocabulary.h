// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <llama.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "backend/llama/detail/llama_library.h"
#include "backend/sequence_backend.h"

namespace cortex::backend {

// The vocabulary of a loaded model, which outlives it.
class LlamaVocabulary final : public Vocabulary {
 public:
  LlamaVocabulary(const LlamaFunctions& api, const llama_model* model);

  [[nodiscard]] Result<std::vector<Token>> tokenize(std::string_view text, bool begin, bool special)
      const override;
  [[nodiscard]] std::string piece(Token token, bool special) const override;
  [[nodiscard]] bool is_end(Token token) const override;

  [[nodiscard]] std::size_t size() const { return size_; }
  // -1: the model wants none before a text.
  [[nodiscard]] Token begin() const { return begin_; }
  // The end-of-generation tokens, the model's own end first.
  [[nodiscard]] std::vector<Token> ends() const;
  // Tokens that the model's maker never wants to see.
  [[nodiscard]] std::vector<Token> suppressed() const;

 private:
  const LlamaFunctions& api_;
  const llama_vocab* vocabulary_;
  const std::size_t size_;
  const Token begin_;
};

}  // namespace cortex::backend
