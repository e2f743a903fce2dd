// SPDX-License-Identifier: Apache-2.0
#include "backend/llama/detail/llama_vocabulary.h"

#include <algorithm>
#include <array>
#include <exception>
#include <limits>

#include "base/check.h"
#include "base/json_text.h"

namespace cortex::backend {

LlamaVocabulary::LlamaVocabulary(const LlamaFunctions& api, const llama_model* model)
    : api_(api),
      vocabulary_(api.llama_model_get_vocab(model)),
      size_(static_cast<std::size_t>(api.llama_vocab_n_tokens(vocabulary_))),
      begin_(api.llama_vocab_get_add_bos(vocabulary_) ? api.llama_vocab_bos(vocabulary_) : -1) {}

// The library's own adding of special tokens is left alone: it may add an end, too.
Result<std::vector<Token>> LlamaVocabulary::tokenize(
    std::string_view text, bool begin, bool special
) const {
  if (!is_utf8(text)) return invalid_argument("the text is not UTF-8");
  if (text.size() > std::numeric_limits<std::int32_t>::max() / 2) {
    return invalid_argument("the text is longer than a gigabyte");
  }
  const std::size_t first = begin && begin_ >= 0 ? 1 : 0;
  const auto length = static_cast<std::int32_t>(text.size());
  std::vector<Token> out(first + text.size() + 2);
  try {
    const auto room = static_cast<std::int32_t>(out.size() - first);
    const std::int32_t count = api_.llama_tokenize(
        vocabulary_, text.data(), length, out.data() + first, room, false, special
    );
    if (count < 0) return internal("the text became more tokens than it has bytes");
    out.resize(first + static_cast<std::size_t>(count));
  } catch (const std::exception& error) {
    return internal(std::string("the tokenizer threw: ") + error.what());
  }
  if (first == 1) out.front() = begin_;
  return out;
}

std::string LlamaVocabulary::piece(Token token, bool special) const {
  CHECK(token >= 0 && static_cast<std::size_t>(token) < size_, "a token outside the vocabulary");
  std::array<char, 64> small{};
  const auto room = static_cast<std::int32_t>(small.size());
  const std::int32_t count =
      api_.llama_token_to_piece(vocabulary_, token, small.data(), room, 0, special);
  if (count >= 0) return {small.data(), static_cast<std::size_t>(count)};
  std::string out(static_cast<std::size_t>(-count), '\0');
  const std::int32_t again =
      api_.llama_token_to_piece(vocabulary_, token, out.data(), -count, 0, special);
  out.resize(static_cast<std::size_t>(std::max(again, 0)));
  return out;
}

bool LlamaVocabulary::is_end(Token token) const {
  return api_.llama_vocab_is_eog(vocabulary_, token);
}

std::vector<Token> LlamaVocabulary::ends() const {
  std::vector<Token> out;
  for (Token token = 0; static_cast<std::size_t>(token) < size_; ++token) {
    if (is_end(token)) out.push_back(token);
  }
  const auto own = std::ranges::find(out, api_.llama_vocab_eos(vocabulary_));
  if (own != out.end()) std::rotate(out.begin(), own, own + 1);
  return out;
}

std::vector<Token> LlamaVocabulary::suppressed() const {
  std::int32_t count = 0;
  const llama_token* tokens = api_.llama_vocab_get_suppress_tokens(vocabulary_, &count);
  if (tokens == nullptr || count <= 0) return {};
  return {tokens, tokens + count};
}

}  // namespace cortex::backend
