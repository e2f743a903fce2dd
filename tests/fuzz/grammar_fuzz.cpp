// SPDX-License-Identifier: Apache-2.0
// First byte: the kind of grammar. The rest: its text; its bytes then choose among what it allows.
#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "text/grammar.h"

namespace {

using cortex::text::Grammar;
using cortex::text::GrammarVocabulary;

constexpr std::int32_t kEnd = 256;
constexpr std::size_t kStepsMax = 24;

const std::shared_ptr<const GrammarVocabulary>& vocabulary() {
  static const auto made = [] {
    std::vector<GrammarVocabulary::Entry> tokens;
    for (int byte = 0; byte < 256; ++byte)
      tokens.push_back({std::string(1, static_cast<char>(byte))});
    tokens.push_back({"<|end|>", true});
    for (const char* word : {"true", "\": ", "{\"", "\"}", "  ", "10"}) tokens.push_back({word});
    const std::array<std::int32_t, 1> ends = {kEnd};
    auto result = GrammarVocabulary::make(tokens, ends);
    CHECK(result.ok(), "the vocabulary above is in order");
    return *result;
  }();
  return made;
}

// What the mask allows can be taken.
void walk(Grammar& grammar, std::string_view choices) {
  std::array<std::uint32_t, 9> mask{};
  for (std::size_t i = 0; i < choices.size() && i < kStepsMax && !grammar.finished(); ++i) {
    if (!grammar.allow(mask).ok()) return;
    std::vector<std::int32_t> allowed;
    for (std::int32_t t = 0; t < 288; ++t) {
      if ((mask.at(static_cast<std::size_t>(t) / 32) >> (t % 32) & 1U) != 0) allowed.push_back(t);
    }
    if (allowed.empty()) return;
    const auto token = allowed[static_cast<unsigned char>(choices[i]) % allowed.size()];
    CHECK(grammar.accept(token).ok(), "an allowed token is accepted");
    if (token == kEnd) return;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 1) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  const auto grammar =
      Grammar::compile(vocabulary(), static_cast<Grammar::Kind>(data[0] % 3), text);
  if (!grammar.ok()) return 0;
  const auto fork = (*grammar)->fork();
  walk(**grammar, text);
  walk(*fork, text);
  return 0;
}
