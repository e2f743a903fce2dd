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

constexpr std::uint64_t kLeaveStreams = 1ull << 60;
constexpr std::uint64_t kAdapterStreams = 1ull << 61;
constexpr std::uint64_t kThinkStreams = 1ull << 62;

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

// Which of the adapters, by Zipf's law.
std::size_t drawn_adapter(const LanguageWorkOptions& options, std::size_t index) {
  std::vector<double> weights;
  for (std::size_t i = 0; i < options.adapters.size(); ++i) {
    weights.push_back(std::pow(static_cast<double>(i + 1), -options.adapter_skew));
  }
  WorkRandom random = random_of(options.seed, kAdapterStreams + index);
  return std::discrete_distribution<std::size_t>(weights.begin(), weights.end())(random);
}

// How much of the answer a client hears that does not stay; 0 where it does.
std::size_t drawn_leave(
    const LanguageWorkOptions& options, std::size_t index, std::size_t output_tokens
) {
  WorkRandom random = random_of(options.seed, kLeaveStreams + index);
  if (std::uniform_real_distribution<double>()(random) >= options.leaving) return 0;
  return 1 + random() % std::max<std::size_t>(output_tokens - 1, 1);
}

}  // namespace

LanguageAsk language_ask(const LanguageWorkOptions& options, std::size_t index) {
  WorkRandom random = random_of(options.seed, index);
  LanguageAsk out{"chat", {}, drawn_length(options.output_tokens, random), 0};
  std::string prompt = words(drawn_length(options.prompt_tokens, random), random);
  if (options.workload == LanguageWorkload::kSharedPrefix) {
    out.kind = "shared";
    prompt = prefixed(options, index / kRequestsOfALoad, prompt, random);
  }
  const bool is_long = options.workload == LanguageWorkload::kLongPrompt &&
                       index % options.long_every == options.long_every - 1;
  if (is_long) {
    out = {"long", {}, kLongOutput, 0};
    prompt = words(options.long_tokens, random);
  }
  const std::string* model = &options.model;
  if (options.workload == LanguageWorkload::kAdapters && !options.adapters.empty()) {
    const std::size_t adapter = drawn_adapter(options, index);
    out.kind = adapter == 0 ? "popular" : "rare";
    model = &options.adapters[adapter];
  }
  out.body = completion_body(*model, prompt, out.output_tokens);
  out.leaves_after = drawn_leave(options, index, out.output_tokens);
  return out;
}

LanguageAsk LanguageConversation::ask(std::size_t index) {
  WorkRandom random = random_of(options_.seed, index);
  LanguageAsk out{"first", {}, drawn_length(options_.output_tokens, random), 0};
  const std::string question = words(drawn_length(options_.prompt_tokens, random), random);
  if (turn_ == 0) {
    said_ = question;
  } else {
    out.kind = "later";
    said_ += "\n" + question;
  }
  index_ = index;
  out.body = completion_body(options_.model, said_, out.output_tokens);
  out.leaves_after = drawn_leave(options_, index, out.output_tokens);
  return out;
}

Duration LanguageConversation::hear(std::string_view answer) {
  said_ += answer;
  turn_ = (turn_ + 1) % std::max<std::size_t>(options_.turns, 1);
  WorkRandom random = random_of(options_.seed, kThinkStreams + index_);
  const double drawn = std::exponential_distribution<double>()(random) * options_.think_seconds;
  return std::chrono::duration_cast<Duration>(std::chrono::duration<double>(drawn));
}

}  // namespace cortex::cli::bench
