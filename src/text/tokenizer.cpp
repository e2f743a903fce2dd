// SPDX-License-Identifier: Apache-2.0
#include "text/tokenizer.h"

#include <limits>
#include <utility>

#include "text/detail/cortex_text.h"
#include "text/detail/rust_text.h"
#include "text/detail/tokenizer_files.h"

namespace cortex::text {
namespace {

void reserve_encoding(
    void* owner, std::size_t count, std::int64_t** ids, std::int64_t** type_ids
) noexcept {
  auto* encoding = static_cast<Encoding*>(owner);
  encoding->ids.resize(count);
  encoding->type_ids.resize(count);
  *ids = encoding->ids.data();
  *type_ids = encoding->type_ids.data();
}

Status too_long(std::size_t size, std::size_t limit, std::string_view what) {
  return invalid_argument(
      "The text has " + std::to_string(size) + " bytes; " + std::string(what) + " is " +
      std::to_string(limit) + " bytes."
  );
}

Status encode_error(const cortex_text_outcome& outcome, const cortex_text_request& request) {
  switch (outcome.code) {
    case CORTEX_TEXT_NOT_UTF8:
      return invalid_argument("The text is not valid UTF-8.");
    case CORTEX_TEXT_TOO_LONG:
      return too_long(
          request.text.size,
          request.whole_bytes_max,
          "the limit for a text that this tokenizer must read to its end"
      );
    case CORTEX_TEXT_NO_ROOM:
      return invalid_argument(
          "A length of " + std::to_string(request.length_max) + " has no room for the " +
          std::to_string(outcome.special_tokens) + " special tokens."
      );
    default:
      return internal(std::string("tokenizer: ") + outcome.message);
  }
}

cortex_text_request request_of(std::string_view text, const EncodeOptions& options) {
  return {
      .text = rust_bytes(text),
      .length_max = options.length_max,
      .whole_bytes_max = kWholeTextBytesMax,
      .add_special_tokens = options.add_special_tokens,
      .reference = false,
  };
}

Status run_encode(
    const cortex_text_tokenizer* tokenizer,
    std::string_view text,
    const EncodeOptions& options,
    cortex_text_encoding& encoding
) {
  if (text.size() > kTextBytesMax) return too_long(text.size(), kTextBytesMax, "the limit");
  const cortex_text_request request = request_of(text, options);
  cortex_text_outcome outcome;
  cortex_text_tokenizer_encode(tokenizer, &request, &encoding, &outcome);
  return outcome.code == CORTEX_TEXT_OK ? Status() : encode_error(outcome, request);
}

Status load_error(const cortex_text_outcome& outcome) {
  return invalid_argument(std::string("not a usable tokenizer: ") + outcome.message);
}

// One of the Rust library's, which it owns.
class RustTokenizer final : public Tokenizer {
 public:
  // Takes it, or the error of the call that should have made it.
  static Result<std::shared_ptr<const Tokenizer>> take(
      cortex_text_tokenizer* inner, const cortex_text_outcome& outcome
  ) {
    if (inner == nullptr) return load_error(outcome);
    return std::shared_ptr<const Tokenizer>(new RustTokenizer(inner));
  }
  ~RustTokenizer() override { cortex_text_tokenizer_free(inner_); }

  Result<Encoding> encode(std::string_view text, const EncodeOptions& options) const override;
  Result<Encoding> encode_pair(
      std::string_view first, std::string_view second, const EncodeOptions& options
  ) const override;
  Result<std::size_t> count(std::string_view text) const override;
  Result<std::string> decode(std::span<const std::int64_t> ids, bool skip_special) const override;
  std::size_t vocabulary_size() const override {
    return cortex_text_tokenizer_vocabulary_size(inner_);
  }
  Result<std::int64_t> token_id(std::string_view token) const override;

 private:
  explicit RustTokenizer(cortex_text_tokenizer* inner) : inner_(inner) {}

  cortex_text_tokenizer* const inner_;
};

Result<Encoding> RustTokenizer::encode(std::string_view text, const EncodeOptions& options) const {
  Encoding result;
  cortex_text_encoding encoding{&result, reserve_encoding, 0, false};
  CORTEX_RETURN_IF_ERROR(run_encode(inner_, text, options, encoding));
  result.truncated = encoding.truncated;
  return result;
}

Result<Encoding> RustTokenizer::encode_pair(
    std::string_view first, std::string_view second, const EncodeOptions& options
) const {
  for (const std::string_view text : {first, second}) {
    if (text.size() > kTextBytesMax) return too_long(text.size(), kTextBytesMax, "the limit");
  }
  const cortex_text_request request = request_of(first, options);
  Encoding result;
  cortex_text_encoding encoding{&result, reserve_encoding, 0, false};
  cortex_text_outcome outcome;
  cortex_text_tokenizer_encode_pair(inner_, &request, rust_bytes(second), &encoding, &outcome);
  if (outcome.code == CORTEX_TEXT_FAILED) return failed_precondition(outcome.message);
  if (outcome.code != CORTEX_TEXT_OK) return encode_error(outcome, request);
  result.truncated = encoding.truncated;
  return result;
}

Result<std::size_t> RustTokenizer::count(std::string_view text) const {
  cortex_text_encoding encoding{nullptr, nullptr, 0, false};
  CORTEX_RETURN_IF_ERROR(run_encode(inner_, text, {}, encoding));
  return encoding.count;
}

Result<std::string> RustTokenizer::decode(std::span<const std::int64_t> ids, bool skip_special)
    const {
  std::vector<std::uint32_t> narrow;
  narrow.reserve(ids.size());
  for (const std::int64_t id : ids) {
    if (!std::in_range<std::uint32_t>(id)) {
      return invalid_argument("The token id " + std::to_string(id) + " is out of range.");
    }
    narrow.push_back(static_cast<std::uint32_t>(id));
  }
  std::string text;
  const cortex_text_text sink{&text, reserve_rust_text};
  cortex_text_outcome outcome;
  cortex_text_tokenizer_decode(inner_, narrow.data(), narrow.size(), skip_special, &sink, &outcome);
  if (outcome.code != CORTEX_TEXT_OK) {
    return internal(std::string("tokenizer: ") + outcome.message);
  }
  return text;
}

Result<std::int64_t> RustTokenizer::token_id(std::string_view token) const {
  const std::int64_t id = cortex_text_tokenizer_token_id(inner_, rust_bytes(token));
  if (id < 0) return not_found("The vocabulary has no token '" + std::string(token) + "'.");
  return id;
}

Result<std::shared_ptr<const Tokenizer>> from_vocabulary(
    std::string_view vocabulary, std::string_view config
) {
  CORTEX_ASSIGN_OR_RETURN(const cortex_text_bert_rules rules, bert_rules(config));
  cortex_text_outcome outcome;
  auto* inner = cortex_text_tokenizer_from_vocabulary(rust_bytes(vocabulary), &rules, &outcome);
  return RustTokenizer::take(inner, outcome);
}

}  // namespace

Result<std::shared_ptr<const Tokenizer>> Tokenizer::load(const std::filesystem::path& file) {
  CORTEX_ASSIGN_OR_RETURN(std::string content, read_file(file, kTokenizerBytesMax));
  auto tokenizer = file.extension() == ".txt" ? from_vocabulary(content, read_config_beside(file))
                                              : from_bytes(content);
  return tokenizer.ok() ? tokenizer : tokenizer.status().with_prefix(file.string() + ": ");
}

Result<std::shared_ptr<const Tokenizer>> Tokenizer::from_bytes(std::string_view json) {
  cortex_text_outcome outcome;
  auto* inner = cortex_text_tokenizer_from_json(rust_bytes(json), &outcome);
  return RustTokenizer::take(inner, outcome);
}

}  // namespace cortex::text
