// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace cortex::text {

// What a model reads. The attention mask is all ones; padding is the lane's business.
struct Encoding {
  std::vector<std::int64_t> ids;
  std::vector<std::int64_t> type_ids;  // As long as `ids`.
  bool truncated = false;
};

struct EncodeOptions {
  bool add_special_tokens = true;
  // Most tokens of the result, special tokens counted and kept; 0: no truncation.
  std::size_t length_max = 0;
};

// A longer text is refused.
inline constexpr std::size_t kTextBytesMax = std::size_t{16} << 20;
// A longer text is refused where it must be tokenised to its end: by every tokenizer but BERT's
// (WordPiece), and by BERT's when the wanted tokens hold one of the rare marks that change places
// (Balinese, Javanese, musical).
inline constexpr std::size_t kWholeTextBytesMax = std::size_t{512} << 10;
// A larger tokenizer file is refused.
inline constexpr std::size_t kTokenizerBytesMax = std::size_t{128} << 20;

// Text to token ids and back. Immutable, thread-safe. Everything runs on the calling thread;
// nothing blocks or starts threads.
//
// Those that load() gives have the ids of the Python package `tokenizers`. Time is linear in the
// text; with `length_max`, BERT's tokenizer reads no further than it needs (but checks all of the
// UTF-8). The padding and the maximal length that a tokenizer.json declares are left out: the
// caller says what he wants. The side it truncates on is kept. Text like "[SEP]" in the input
// becomes the special token, as in the package.
//
//   CORTEX_ASSIGN_OR_RETURN(auto tokenizer, Tokenizer::load("minilm/tokenizer.json"));
//   CORTEX_ASSIGN_OR_RETURN(Encoding encoding, tokenizer->encode("Hello", {.length_max = 256}));
class Tokenizer {
 public:
  // A Hugging Face `tokenizer.json`, or, with the extension .txt, a WordPiece vocabulary read by
  // BERT's uncased rules; a `tokenizer_config.json` beside the latter is asked for do_lower_case,
  // strip_accents, tokenize_chinese_chars. kNotFound without the file, kInvalidArgument if it is no
  // tokenizer; the text names the file.
  static Result<std::shared_ptr<const Tokenizer>> load(const std::filesystem::path& file);
  // The text of a `tokenizer.json`.
  static Result<std::shared_ptr<const Tokenizer>> from_bytes(std::string_view json);

  virtual ~Tokenizer() = default;
  Tokenizer(const Tokenizer&) = delete;
  Tokenizer& operator=(const Tokenizer&) = delete;

  // kInvalidArgument: not UTF-8, longer than a limit above, or `length_max` has no room for the
  // special tokens.
  virtual Result<Encoding> encode(std::string_view text, const EncodeOptions& options) const = 0;
  // Two texts as one input, for a model that compares them. Over `length_max` the longer text loses
  // its tokens first, both alike once they are equal. kInvalidArgument as encode();
  // kFailedPrecondition: this tokenizer does not put one text behind the other.
  virtual Result<Encoding> encode_pair(
      std::string_view first, std::string_view second, const EncodeOptions& options
  ) const = 0;
  // The number of tokens of encode(text, {}).
  virtual Result<std::size_t> count(std::string_view text) const = 0;
  // kInvalidArgument if an id is no 32-bit number; an id without a token is left out.
  virtual Result<std::string> decode(std::span<const std::int64_t> ids, bool skip_special)
      const = 0;

  // Added tokens counted.
  virtual std::size_t vocabulary_size() const = 0;
  // kNotFound if there is no such token.
  virtual Result<std::int64_t> token_id(std::string_view token) const = 0;

 protected:
  Tokenizer() = default;
};

}  // namespace cortex::text
