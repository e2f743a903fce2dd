// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "backend/sequence_backend.h"

namespace cortex::backend {

// A token for each byte, and four special ones.
class ByteVocabulary final : public Vocabulary {
 public:
  static constexpr Token kBegin = 256;
  static constexpr Token kEnd = 257;
  static constexpr Token kMessage = 258;     // <|im_start|>
  static constexpr Token kMessageEnd = 259;  // <|im_end|>
  static constexpr std::size_t kSize = 260;

  [[nodiscard]] Result<std::vector<Token>> tokenize(std::string_view text, bool begin, bool special)
      const override;
  [[nodiscard]] std::string piece(Token token, bool special) const override;
  [[nodiscard]] bool is_end(Token token) const override;
};

}  // namespace cortex::backend
