// SPDX-License-Identifier: Apache-2.0
// Masks over a vocabulary of 50 000 tokens, as long as those of real models.
#include <random>
#include <set>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>

#include "base/check.h"
#include "text/grammar.h"

namespace cortex::text {
namespace {

constexpr std::size_t kTokens = 50'000;
constexpr std::int32_t kEnd = 256;

constexpr const char* kSchema = R"({"type": "object", "properties": {
    "name": {"type": "string", "maxLength": 60}, "age": {"type": "integer", "minimum": 0},
    "tags": {"type": "array", "items": {"enum": ["red", "green", "blue"]}},
    "born": {"type": "string", "format": "date"}},
    "required": ["name", "age", "tags", "born"], "additionalProperties": false})";
constexpr std::string_view kText =
    R"({"name": "Grace Brewster Hopper", "age": 85, "tags": ["red", "blue"], "born": "1906-12-09"})";

std::vector<GrammarVocabulary::Entry> entries() {
  std::vector<GrammarVocabulary::Entry> made;
  std::set<std::string> seen;
  for (int byte = 0; byte < 256; ++byte) {
    made.push_back({std::string(1, static_cast<char>(byte))});
    seen.insert(made.back().bytes);
  }
  made.push_back({"<|end|>", true});
  constexpr std::string_view kLetters = "etaoinshrdlucmfwypvbgkjqxzETAOIN  00112345.,\"{}:[]_";
  std::mt19937 random(11);
  while (made.size() < kTokens) {
    std::string word = random() % 2 == 0 ? " " : "";
    for (std::size_t size = 2 + random() % 6; size > 0; --size) {
      word += kLetters[random() % kLetters.size()];
    }
    if (seen.insert(word).second) made.push_back({word});
  }
  return made;
}

std::shared_ptr<const GrammarVocabulary> vocabulary() {
  static const auto made = [] {
    const std::vector<std::int32_t> ends = {kEnd};
    return *GrammarVocabulary::make(entries(), ends);
  }();
  return made;
}

void make_vocabulary(benchmark::State& state) {
  const auto tokens = entries();
  const std::vector<std::int32_t> ends = {kEnd};
  for (auto _ : state) benchmark::DoNotOptimize(GrammarVocabulary::make(tokens, ends));
}

void compile_schema(benchmark::State& state) {
  const auto tokens = vocabulary();
  for (auto _ : state) {
    benchmark::DoNotOptimize(Grammar::compile(tokens, Grammar::Kind::kJsonSchema, kSchema));
  }
}

// A mask for every character of an answer; the time of one.
void mask(benchmark::State& state) {
  const auto compiled = *Grammar::compile(vocabulary(), Grammar::Kind::kJsonSchema, kSchema);
  std::vector<std::uint32_t> bits((kTokens + 31) / 32);
  while (state.KeepRunningBatch(static_cast<benchmark::IterationCount>(kText.size()))) {
    const auto grammar = compiled->fork();
    for (const char c : kText) {
      CHECK(grammar->allow(bits).ok(), "the text fits the schema");
      CHECK(grammar->accept(static_cast<unsigned char>(c)).ok(), "the text fits the schema");
    }
  }
}

BENCHMARK(make_vocabulary)->Unit(benchmark::kMillisecond);
BENCHMARK(compile_schema)->Unit(benchmark::kMicrosecond);
BENCHMARK(mask)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace cortex::text

BENCHMARK_MAIN();
