// SPDX-License-Identifier: Apache-2.0
// usage: cortex_text_benchmark [OPTION OF GOOGLE BENCHMARK …] TOKENIZER
#include <cstdio>
#include <memory>
#include <string>

#include <benchmark/benchmark.h>

#include "text/tokenizer.h"

namespace cortex::text {
namespace {

constexpr std::string_view kSentence =
    "The quick brown fox jumps over the lazy dog while the server answers thousands of requests, "
    "and nobody waits longer than a few milliseconds for it.";
constexpr std::string_view kMixed =
    "Füße über naïve Straßen – wer weiß, ob 東京 schöner ist als 北京? Привет мир 🙂";

std::shared_ptr<const Tokenizer> tokenizer;

void encode(benchmark::State& state, std::string_view text, const EncodeOptions& options) {
  std::size_t tokens = 0;
  for (auto _ : state) {
    auto encoding = tokenizer->encode(text, options);
    tokens = encoding->ids.size();
    benchmark::DoNotOptimize(encoding);
  }
  state.counters["tokens"] = static_cast<double>(tokens);
}

void sentence(benchmark::State& state) { encode(state, kSentence, {}); }
void mixed_scripts(benchmark::State& state) { encode(state, kMixed, {}); }
void ten_megabytes_truncated(benchmark::State& state) {
  std::string text;
  while (text.size() < 10'000'000) text.append(kSentence);
  encode(state, text, {.length_max = 256});
}
void hundred_kilobytes(benchmark::State& state) {
  std::string text;
  while (text.size() < 100'000) text.append(kMixed);
  encode(state, text, {});
}

BENCHMARK(sentence);
BENCHMARK(mixed_scripts);
BENCHMARK(ten_megabytes_truncated);
BENCHMARK(hundred_kilobytes);

int run(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  auto loaded = Tokenizer::load(argc == 2 ? argv[1] : "");
  if (!loaded.ok()) {
    std::fprintf(stderr, "%s\n", loaded.status().to_string().c_str());
    return 1;
  }
  tokenizer = *loaded;
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}

}  // namespace
}  // namespace cortex::text

int main(int argc, char** argv) { return cortex::text::run(argc, argv); }
