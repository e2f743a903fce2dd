// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <llama.h>

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "backend/llama/detail/llama_vocabulary.h"
#include "backend/llama/detail/llama_weights.h"
#include "text/tokenizer.h"

namespace cortex::backend {

// How many tokens of each of two texts stay in `room`: the longer one loses its tokens first, both
// alike once they are equal. Pure.
struct TokenShare {
  std::size_t first = 0;
  std::size_t second = 0;
};
[[nodiscard]] TokenShare share_tokens(std::size_t room, std::size_t first, std::size_t second);

// The tokenizer of a model's own file, with the ids that the library gives. Keeps the weights.
//
// Special tokens stand where llama_tokenize puts them; a pair is BERT's ([CLS] first [SEP] second
// [SEP]) or what llama-server makes of it (begin, first, end and separator, second, end, as far as
// the file wants them). Text like "[SEP]" becomes the special token in a text alone, and stays text
// in a pair.
class LlamaTokenizer final : public text::Tokenizer {
 public:
  // kInvalidArgument where the file has no vocabulary, or not the tokens that it puts around texts.
  [[nodiscard]] static Result<std::shared_ptr<const LlamaTokenizer>> make(
      std::shared_ptr<const LlamaWeights> weights
  );

  [[nodiscard]] Result<text::Encoding> encode(
      std::string_view text, const text::EncodeOptions& options
  ) const override;
  [[nodiscard]] Result<text::Encoding> encode_pair(
      std::string_view first, std::string_view second, const text::EncodeOptions& options
  ) const override;
  [[nodiscard]] Result<std::size_t> count(std::string_view text) const override;
  [[nodiscard]] Result<std::string> decode(std::span<const std::int64_t> ids, bool skip_special)
      const override;
  [[nodiscard]] std::size_t vocabulary_size() const override { return vocabulary_.size(); }
  // By the file's own writing ("▁the"). Looks at every token.
  [[nodiscard]] Result<std::int64_t> token_id(std::string_view token) const override;

 private:
  // The special tokens around a text or a pair.
  struct Frame {
    std::vector<Token> front;
    std::vector<Token> between;
    std::vector<Token> back;
  };

  explicit LlamaTokenizer(std::shared_ptr<const LlamaWeights> weights);
  [[nodiscard]] Frame make_frame() const;
  [[nodiscard]] Frame make_pair_frame() const;
  [[nodiscard]] bool is_whole(const Frame& frame) const;
  [[nodiscard]] Result<std::vector<Token>> tokens_of(std::string_view text, bool special) const;

  const std::shared_ptr<const LlamaWeights> weights_;
  const LlamaFunctions& api_;
  const LlamaVocabulary vocabulary_;
  const llama_vocab* inner_;
  const bool bert_;  // words in pieces, as BERT's
  const Frame frame_;
  std::optional<Frame> pair_;  // nothing: the file wants a token between texts that it lacks
};

}  // namespace cortex::backend
