// SPDX-License-Identifier: Apache-2.0
#include "text/grammar.h"

#include <utility>

#include "base/check.h"
#include "text/detail/cortex_grammar.h"
#include "text/detail/rust_text.h"

namespace cortex::text {
namespace {

std::string_view name_of(Grammar::Kind kind) {
  switch (kind) {
    case Grammar::Kind::kJsonSchema:
      return "JSON schema";
    case Grammar::Kind::kRegex:
      return "regular expression";
    case Grammar::Kind::kLark:
      return "Lark grammar";
  }
  return "grammar";
}

std::int32_t rust_kind(Grammar::Kind kind) {
  switch (kind) {
    case Grammar::Kind::kJsonSchema:
      return CORTEX_TEXT_JSON_SCHEMA;
    case Grammar::Kind::kRegex:
      return CORTEX_TEXT_REGEX;
    case Grammar::Kind::kLark:
      return CORTEX_TEXT_LARK;
  }
  return CORTEX_TEXT_LARK;
}

Status step_status(const cortex_text_outcome& outcome) {
  switch (outcome.code) {
    case CORTEX_TEXT_OK:
      return {};
    case CORTEX_TEXT_NOTHING_ALLOWED:
      return invalid_argument("the form that was asked for allows no text that begins as this one");
    default:
      return internal(std::string("grammar: ") + outcome.message);
  }
}

}  // namespace

struct GrammarVocabulary::Inner {
  cortex_text_vocabulary* rust = nullptr;

  ~Inner() { cortex_text_vocabulary_free(rust); }
};

GrammarVocabulary::GrammarVocabulary(std::unique_ptr<Inner> inner) : inner_(std::move(inner)) {}

GrammarVocabulary::~GrammarVocabulary() = default;

Result<std::shared_ptr<const GrammarVocabulary>> GrammarVocabulary::make(
    std::span<const Entry> tokens, std::span<const std::int32_t> ends
) {
  std::vector<cortex_text_token> entries;
  entries.reserve(tokens.size());
  for (const Entry& entry : tokens) entries.push_back({rust_bytes(entry.bytes), entry.special});
  auto inner = std::make_unique<Inner>();
  cortex_text_outcome outcome;
  inner->rust = cortex_text_vocabulary_make(
      entries.data(), entries.size(), ends.data(), ends.size(), &outcome
  );
  if (inner->rust == nullptr) {
    return invalid_argument(std::string("not a usable vocabulary: ") + outcome.message);
  }
  return std::shared_ptr<const GrammarVocabulary>(new GrammarVocabulary(std::move(inner)));
}

struct Grammar::Inner {
  cortex_text_grammar* rust = nullptr;

  ~Inner() { cortex_text_grammar_free(rust); }
};

Grammar::Grammar(std::unique_ptr<Inner> inner) : inner_(std::move(inner)) {}

Grammar::~Grammar() = default;

Result<std::unique_ptr<Grammar>> Grammar::compile(
    const std::shared_ptr<const GrammarVocabulary>& vocabulary, Kind kind, std::string_view text
) {
  auto inner = std::make_unique<Inner>();
  cortex_text_outcome outcome;
  inner->rust = cortex_text_grammar_compile(
      vocabulary->inner().rust, rust_kind(kind), rust_bytes(text), &outcome
  );
  if (inner->rust == nullptr) {
    if (outcome.code == CORTEX_TEXT_PANICKED) return step_status(outcome);
    const bool no_text = outcome.code == CORTEX_TEXT_NOT_UTF8;
    return invalid_argument(
        "not a usable " + std::string(name_of(kind)) + ": " +
        (no_text ? "no UTF-8" : outcome.message)
    );
  }
  return std::unique_ptr<Grammar>(new Grammar(std::move(inner)));
}

Status Grammar::allow(std::span<std::uint32_t> mask) {
  cortex_text_outcome outcome;
  cortex_text_grammar_allow(inner_->rust, mask.data(), mask.size(), &outcome);
  return step_status(outcome);
}

Status Grammar::accept(std::int32_t token) {
  cortex_text_outcome outcome;
  cortex_text_grammar_accept(inner_->rust, token, &outcome);
  return step_status(outcome);
}

bool Grammar::finished() const { return cortex_text_grammar_finished(inner_->rust); }

std::unique_ptr<Grammar> Grammar::fork() const {
  auto inner = std::make_unique<Inner>();
  cortex_text_outcome outcome;
  inner->rust = cortex_text_grammar_fork(inner_->rust, &outcome);
  CHECK(inner->rust != nullptr, "a grammar can be copied");
  return std::unique_ptr<Grammar>(new Grammar(std::move(inner)));
}

}  // namespace cortex::text
