// SPDX-License-Identifier: Apache-2.0
// First byte: what the rest is. Even numbers of it are a text for one of four BERT tokenizers,
// whose short way must agree with the crate; odd numbers are a tokenizer.json.
#include <array>
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "text/detail/cortex_text.h"
#include "text/tokenizer.h"

namespace {

constexpr std::string_view kVocabulary =
    "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\nb\n##a\n##b\nab\n##bab\nA\ni\n!\n#\n[\n]\ne\n##e\né\n"
    "\u0301\n##\u0301\n東\n##東\n\u302e\n##\u302e\n##\U0001d165\n\u1100\n##\u1161\nß\nss\n1\n##"
    "1\n\xf0\x9f\x99\x82\n";

struct Ids {
  std::vector<std::int64_t> ids;
  std::vector<std::int64_t> type_ids;
  std::int32_t code = 0;
  bool truncated = false;
  bool operator==(const Ids&) const = default;
};

void reserve(void* owner, std::size_t count, std::int64_t** ids, std::int64_t** type_ids) {
  auto* to = static_cast<Ids*>(owner);
  to->ids.resize(count);
  to->type_ids.resize(count);
  *ids = to->ids.data();
  *type_ids = to->type_ids.data();
}

Ids encode(const cortex_text_tokenizer* tokenizer, const cortex_text_request& request) {
  Ids result;
  cortex_text_encoding encoding{&result, reserve, 0, false};
  cortex_text_outcome outcome;
  cortex_text_tokenizer_encode(tokenizer, &request, &encoding, &outcome);
  result.code = outcome.code;
  result.truncated = outcome.code == CORTEX_TEXT_OK && encoding.truncated;
  return result;
}

const cortex_text_tokenizer* bert(std::size_t kind) {
  static const auto tokenizers = [] {
    constexpr std::array<cortex_text_bert_rules, 4> kRules = {{
        {.lowercase = true, .strip_accents = -1, .split_chinese = true},
        {.lowercase = false, .strip_accents = -1, .split_chinese = true},
        {.lowercase = true, .strip_accents = 0, .split_chinese = false},
        {.lowercase = false, .strip_accents = 1, .split_chinese = false},
    }};
    std::array<cortex_text_tokenizer*, 4> made{};
    for (std::size_t i = 0; i < made.size(); ++i) {
      cortex_text_outcome outcome;
      made.at(i) = cortex_text_tokenizer_from_vocabulary(
          {kVocabulary.data(), kVocabulary.size()}, &kRules.at(i), &outcome
      );
      CHECK(made.at(i) != nullptr, "the vocabulary above is in order");
    }
    return made;
  }();
  return tokenizers.at(kind % tokenizers.size());
}

void compare_ways(std::string_view text, std::size_t kind, std::size_t length_max) {
  cortex_text_request request{
      .text = {text.data(), text.size()},
      .length_max = length_max,
      .whole_bytes_max = text.size(),
      .add_special_tokens = kind % 8 < 4,
      .reference = false,
  };
  const Ids quick = encode(bert(kind), request);
  request.reference = true;
  CHECK(quick == encode(bert(kind), request), "the short way must give the crate's ids");
  CHECK(quick.code != CORTEX_TEXT_PANICKED, "no text makes a sound tokenizer panic");
  CHECK(length_max == 0 || quick.ids.size() <= length_max, "truncation must hold");
}

void load_and_use(std::string_view json) {
  const auto tokenizer = cortex::text::Tokenizer::from_bytes(json);
  if (!tokenizer.ok()) return;
  auto encoding = (*tokenizer)->encode("Hello, wörld! 東京 🙂  [SEP] 123", {});
  if (encoding.ok()) (void)(*tokenizer)->decode(encoding->ids, true);
  (void)(*tokenizer)->encode("a b c d e", {.length_max = 4});
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const std::string_view rest(reinterpret_cast<const char*>(data) + 2, size - 2);
  if (data[0] % 2 == 0) {
    compare_ways(rest, data[0] / 2U, data[1]);
  } else {
    load_and_use(rest);
  }
  return 0;
}
