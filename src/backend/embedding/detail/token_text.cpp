// SPDX-License-Identifier: Apache-2.0
#include "backend/embedding/detail/token_text.h"

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "backend/detail/beside_lane.h"

namespace cortex::backend {
namespace {

Status check_ids(
    const text::Tokenizer& tokenizer, const std::vector<Token>& ids, const std::string& field
) {
  const std::size_t size = tokenizer.vocabulary_size();
  for (const Token id : ids) {
    if (id >= 0 && static_cast<std::size_t>(id) < size) continue;
    return invalid_argument(
               "token " + std::to_string(id) + " is outside the vocabulary of " +
               std::to_string(size)
    )
        .with_field(field);
  }
  return {};
}

Result<std::vector<Token>> tokens_of(const text::Tokenizer& tokenizer, const TokenizeInput& input) {
  const auto& prompt = std::get<Prompt>(input.prompt);
  if (!prompt.tokens.empty()) {
    CORTEX_RETURN_IF_ERROR(check_ids(tokenizer, prompt.tokens, "prompt"));
    return prompt.tokens;
  }
  text::EncodeOptions options;
  options.add_special_tokens = input.special;
  CORTEX_ASSIGN_OR_RETURN(const text::Encoding encoding, tokenizer.encode(prompt.text, options));
  std::vector<Token> out;
  out.reserve(encoding.ids.size());
  for (const std::int64_t id : encoding.ids) out.push_back(static_cast<Token>(id));
  return out;
}

}  // namespace

Result<TokenizeOutput> tokenize_text(const text::Tokenizer& tokenizer, const TokenizeInput& input) {
  const auto* prompt = std::get_if<Prompt>(&input.prompt);
  if (prompt == nullptr) {
    return invalid_argument("an embedding model takes texts: it has no conversations")
        .with_field("messages");
  }
  CORTEX_RETURN_IF_ERROR(check_tokenize_bytes(prompt->text.size()));
  auto tokens = tokens_of(tokenizer, input);
  if (!tokens.ok()) {
    const Status status = tokens.status();
    return status.field().empty() ? status.with_field("prompt") : status;
  }
  TokenizeOutput out;
  out.tokens = std::move(*tokens);
  if (!input.pieces) return out;
  for (const Token token : out.tokens) {
    const std::int64_t id = token;
    CORTEX_ASSIGN_OR_RETURN(std::string piece, tokenizer.decode({&id, 1}, false));
    out.pieces.push_back(std::move(piece));
  }
  return out;
}

Result<DetokenizeOutput> text_of_tokens(
    const text::Tokenizer& tokenizer, const DetokenizeInput& input
) {
  CORTEX_RETURN_IF_ERROR(check_detokenize_tokens(input.tokens.size()));
  CORTEX_RETURN_IF_ERROR(check_ids(tokenizer, input.tokens, "tokens"));
  const std::vector<std::int64_t> ids(input.tokens.begin(), input.tokens.end());
  DetokenizeOutput out;
  CORTEX_ASSIGN_OR_RETURN(out.text, tokenizer.decode(ids, false));
  if (out.text.size() <= kDetokenizedBytesMax) return out;
  return invalid_argument(
             "the tokens are more than " + std::to_string(kDetokenizedBytesMax) + " bytes of text"
  )
      .with_field("tokens");
}

}  // namespace cortex::backend
