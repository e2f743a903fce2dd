// SPDX-License-Identifier: Apache-2.0
#include "backend/synthetic/detail/byte_vocabulary.h"

#include "base/check.h"
#include "base/json_text.h"

namespace cortex::backend {
namespace {

constexpr Token kFirstSpecial = ByteVocabulary::kBegin;
constexpr std::array<std::string_view, 4> kSpecialTexts = {
    "<|begin|>", "<|end|>", "<|im_start|>", "<|im_end|>"
};

}  // namespace

Result<std::vector<Token>> ByteVocabulary::tokenize(std::string_view text, bool begin, bool special)
    const {
  if (!is_utf8(text)) return invalid_argument("the text is not UTF-8");
  std::vector<Token> out;
  out.reserve(text.size() + 1);
  if (begin) out.push_back(kBegin);
  while (!text.empty()) {
    std::size_t taken = 1;
    auto token = static_cast<Token>(static_cast<unsigned char>(text.front()));
    for (std::size_t i = 0; special && i < kSpecialTexts.size(); ++i) {
      if (!text.starts_with(kSpecialTexts[i])) continue;
      taken = kSpecialTexts[i].size();
      token = kFirstSpecial + static_cast<Token>(i);
    }
    out.push_back(token);
    text.remove_prefix(taken);
  }
  return out;
}

std::string ByteVocabulary::piece(Token token, bool special) const {
  CHECK(token >= 0 && static_cast<std::size_t>(token) < kSize, "a token of the vocabulary");
  if (token < kFirstSpecial) return {static_cast<char>(token)};
  if (!special) return {};
  return std::string(kSpecialTexts[static_cast<std::size_t>(token - kFirstSpecial)]);
}

bool ByteVocabulary::is_end(Token token) const { return token == kEnd || token == kMessageEnd; }

}  // namespace cortex::backend
