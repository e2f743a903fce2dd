// SPDX-License-Identifier: Apache-2.0
#include "cli/bench/language_work.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <random>

#include "base/json_text.h"

namespace cortex::cli::bench {
namespace {

// The spread of lengths that people's chats have.
constexpr double kLengthSigma = 0.8;
constexpr std::size_t kLengthLeast = 4;
constexpr std::size_t kLengthSpread = 8;  // at most so many medians
constexpr std::size_t kLongOutput = 16;

// One token each in the usual vocabularies.
constexpr const char* kPromptWords[] = {
    "time",  "year",   "people",   "way",   "day",    "man",     "thing",  "woman",   "life",
    "child", "world",  "school",   "state", "family", "student", "group",  "country", "problem",
    "hand",  "part",   "place",    "case",  "week",   "company", "system", "program", "question",
    "work",  "number", "night",    "point", "home",   "water",   "room",   "mother",  "area",
    "money", "story",  "fact",     "month", "lot",    "right",   "study",  "book",    "eye",
    "job",   "word",   "business", "issue", "side"
};

using WorkRandom = std::mt19937_64;

WorkRandom random_of(unsigned seed, std::uint64_t stream) {
  std::seed_seq sequence{
      static_cast<std::uint32_t>(seed),
      static_cast<std::uint32_t>(stream),
      static_cast<std::uint32_t>(stream >> 32)
  };
  return WorkRandom(sequence);
}

std::string words(std::size_t count, WorkRandom& random) {
  std::string out;
  for (std::size_t i = 0; i < count; ++i) {
    out.append(i == 0 ? "" : " ").append(kPromptWords[random() % std::size(kPromptWords)]);
  }
  return out;
}

std::size_t drawn_length(std::size_t median, WorkRandom& random) {
  std::lognormal_distribution<double> lengths(std::log(static_cast<double>(median)), kLengthSigma);
  const double drawn = std::min(lengths(random), static_cast<double>(median * kLengthSpread));
  return std::max(kLengthLeast, static_cast<std::size_t>(drawn));
}

std::string completion_body(
    const std::string& model, const std::string& prompt, std::size_t output_tokens
) {
  std::string out = "{\"model\":";
  append_json_string(out, model);
  out += ",\"prompt\":";
  append_json_string(out, prompt);
  out += ",\"max_tokens\":" + std::to_string(output_tokens);
  return out +
         ",\"temperature\":0,\"ignore_eos\":true,\"stream\":true,"
         "\"stream_options\":{\"include_usage\":true}}";
}

// Streams of random numbers that no request's index is.
constexpr std::uint64_t kPrefixStreams = 1ull << 40;

constexpr std::uint64_t kPrefixesOfALoad = 1ull << 20;

std::string prefixed(
    const LanguageWorkOptions& options,
    std::size_t load,
    const std::string& question,
    WorkRandom& random
) {
  const std::uint64_t which =
      load * kPrefixesOfALoad + random() % std::max<std::size_t>(options.prefixes, 1);
  WorkRandom of_prefix = random_of(options.seed, kPrefixStreams + which);
  return words(options.long_tokens, of_prefix) + " " + question;
}

}  // namespace

LanguageAsk language_ask(const LanguageWorkOptions& options, std::size_t index) {
  WorkRandom random = random_of(options.seed, index);
  LanguageAsk out{"chat", {}, drawn_length(options.output_tokens, random)};
  std::string prompt = words(drawn_length(options.prompt_tokens, random), random);
  if (options.workload == LanguageWorkload::kSharedPrefix) {
    out.kind = "shared";
    prompt = prefixed(options, index / kRequestsOfALoad, prompt, random);
  }
  const bool is_long = options.workload == LanguageWorkload::kLongPrompt &&
                       index % options.long_every == options.long_every - 1;
  if (is_long) {
    out = {"long", {}, kLongOutput};
    prompt = words(options.long_tokens, random);
  }
  out.body = completion_body(options.model, prompt, out.output_tokens);
  return out;
}

}  // namespace cortex::cli::bench
