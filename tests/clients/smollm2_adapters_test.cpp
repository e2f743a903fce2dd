// SPDX-License-Identifier: Apache-2.0
// Adapters over the demo model, asked at once: steps of one stand between those of the others, and
// all prompts begin alike. What each says has the probabilities that it has alone, on an engine
// that has seen nothing else.
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <limits>
#include <memory>
#include <random>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "backend/llama/llama_engine.h"
#include "backend/testing/gguf_writer.h"
#include "backend/testing/sample_models.h"
#include "scheduler/sequence_core.h"

namespace cortex::scheduler {
namespace {

constexpr float kEpsilon = 0.05F;
constexpr std::size_t kAnswer = 24;
constexpr std::size_t kAlternatives = 10;
constexpr std::size_t kFirstTokens = 6;  // of the first answers, then the others come in
constexpr std::size_t kWays = 4;         // the base, and three adapters
constexpr std::uint64_t kWidth = 576;
constexpr std::uint64_t kKeys = 192;
constexpr std::uint64_t kInner = 1536;
constexpr std::uint64_t kRank = 32;

using Adapter = std::shared_ptr<const backend::SequenceAdapter>;
using Tokens = std::vector<Token>;

// Natural, as those of a request are.
std::vector<double> log_probabilities(std::span<const float> logits) {
  const double most = *std::ranges::max_element(logits);
  double sum = 0;
  for (const float value : logits) sum += std::exp(value - most);
  std::vector<double> out;
  for (const float value : logits) out.push_back(value - most - std::log(sum));
  return out;
}

// What an adapter's matrices are made of: types of ggml.
enum class Numbers : std::uint32_t { kF32 = 0, kF16 = 1, kQ4 = 3, kBf16 = 30 };

class Matrices {
 public:
  Matrices(std::uint32_t seed, Numbers numbers) : numbers_(numbers), random_(seed) {
    file_.add("general.type", "adapter");
    file_.add("general.architecture", "llama");
    file_.add("adapter.type", "lora");
    file_.add("adapter.lora.alpha", static_cast<float>(kRank));
  }
  // Adds to what the matrix gives for a row of ones about 2 ^ -`halvings`.
  void add(int layer, const std::string& name, std::uint64_t in, std::uint64_t out, int halvings) {
    const std::string whole = "blk." + std::to_string(layer) + "." + name + ".weight.lora_";
    add_one(whole + "a", in, kRank, 7);
    add_one(whole + "b", kRank, out, 5 + halvings);
  }
  [[nodiscard]] std::string bytes() const { return file_.bytes(); }

 private:
  // Numbers from -7.5 to 7.5, halved so many times: as Q4_1 in blocks of 32, a step and the least
  // of them as floats of 16 bits, then four bits for each.
  void add_one(const std::string& name, std::uint64_t in, std::uint64_t out, int halvings) {
    if (numbers_ != Numbers::kQ4) return add_floats(name, in, out, halvings);
    const auto step = static_cast<std::uint16_t>((15 - halvings) << 10);
    const auto least = static_cast<std::uint16_t>(0x8000 | ((17 - halvings) << 10) | 0x380);
    std::string blocks;
    for (std::uint64_t block = 0; block < in * out / 32; ++block) {
      for (const std::uint16_t scale : {step, least}) {
        blocks += static_cast<char>(scale & 0xFF);
        blocks += static_cast<char>(scale >> 8);
      }
      for (int i = 0; i < 16; ++i) blocks += static_cast<char>(random_() & 0xFF);
    }
    file_.add_tensor(name, {in, out}, static_cast<std::uint32_t>(numbers_), blocks);
  }
  // Such numbers have few bits: the upper half of a float knows all of them, and so does a float of
  // 16 bits, whose exponents begin 112 further up.
  void add_floats(const std::string& name, std::uint64_t in, std::uint64_t out, int halvings) {
    std::string bytes;
    for (std::uint64_t i = 0; i < in * out; ++i) {
      const float number = std::ldexp(static_cast<float>(random_() % 16) - 7.5F, -halvings);
      std::uint32_t bits = std::bit_cast<std::uint32_t>(number);
      if (numbers_ == Numbers::kBf16) bits >>= 16;
      if (numbers_ == Numbers::kF16)
        bits = (bits >> 16 & 0x8000) | ((bits >> 13 & 0x3FFFF) - (112 << 10));
      bytes.append(reinterpret_cast<const char*>(&bits), numbers_ == Numbers::kF32 ? 4 : 2);
    }
    file_.add_tensor(name, {in, out}, static_cast<std::uint32_t>(numbers_), bytes);
  }

  const Numbers numbers_;
  std::mt19937 random_;
  backend::testing::GgufWriter file_;
};

// One changes what is looked for, one what is found there, one what is made of it.
std::string adapter_file(std::size_t which, Numbers numbers) {
  Matrices out(static_cast<std::uint32_t>(which), numbers);
  for (int layer = 0; layer < 30; ++layer) {
    if (which == 1) out.add(layer, "attn_q", kWidth, kWidth, 0);
    if (which == 2) out.add(layer, "attn_v", kWidth, kKeys, 2);
    if (which == 3 && layer >= 10) out.add(layer, "ffn_up", kWidth, kInner, 1);
  }
  return out.bytes();
}

// The base has none.
Adapter load_way(backend::SequenceBackend& backend, std::size_t way, Numbers numbers) {
  if (way == 0) return nullptr;
  const auto file = std::filesystem::path(::testing::TempDir()) /
                    ("smollm2_adapters_test_" + std::to_string(way) + ".gguf");
  backend::testing::write_file(file, adapter_file(way, numbers));
  auto out = backend.load_adapter(file);
  EXPECT_TRUE(out.ok()) << out.status().to_string();
  return out.ok() ? *out : nullptr;
}

std::unique_ptr<backend::SequenceBackend> load_model() {
  backend::SequenceBackendOptions options;
  options.model_file = std::filesystem::path(CORTEX_MODELS) / "smollm2" / "1" / "model.gguf";
  options.model_name = "smollm2";
  options.cells = 2048;
  options.context_length = 512;
  auto out = backend::LlamaEngine().load(options);
  EXPECT_TRUE(out.ok()) << out.status().to_string();
  return out.ok() ? std::move(*out) : nullptr;
}

// What one client asked and was told.
struct Talk {
  std::size_t way = 0;
  std::shared_ptr<Request> request;
  std::shared_ptr<ResponseStream> stream = std::make_shared<ResponseStream>(2 * kAnswer);
  std::vector<SampledToken> tokens;

  [[nodiscard]] const Tokens& prompt() const {
    return std::get<SequenceInput>(request->input).prompt;
  }
  void read() {
    while (auto part = stream->read()) {
      for (auto& token : std::get<TokenOutput>(*part).tokens) tokens.push_back(std::move(token));
    }
  }
  [[nodiscard]] Tokens text() const {
    Tokens out = prompt();
    for (const SampledToken& token : tokens) out.push_back(token.token);
    return out;
  }
};

// All ways on one engine, on a clock that is told what steps take: a change of adapter costs
// nothing on it, so each step has another one than the step before.
class Together {
 public:
  Together(Numbers numbers, std::size_t drafts) : backend_(load_model()) {
    for (std::size_t way = 0; way < kWays; ++way) {
      const auto named = std::make_shared<NamedAdapter>();
      named->name = "way" + std::to_string(way);
      named->number = way;
      named->adapter = load_way(*backend_, way, numbers);
      adapters_.push_back(way == 0 ? nullptr : named);
    }
    SequenceCoreOptions options;
    options.draft_tokens_max = drafts;
    core_ = std::make_unique<SequenceCore>(std::move(options), *backend_, probe_);
  }
  ~Together() { core_->close({Code::kUnavailable, "over"}, now_); }

  void ask(std::size_t way, std::string_view text) {
    auto talk = std::make_unique<Talk>();
    talk->way = way;
    talk->request = std::make_shared<Request>();
    SequenceInput input;
    input.prompt = *backend_->vocabulary().tokenize(text, true, true);
    input.tokens_max = kAnswer;
    input.ignore_end = true;
    input.sampling.temperature = 0;
    input.top_logprobs = kAlternatives;
    talk->request->input = std::move(input);
    EXPECT_TRUE(core_->door().enter(*talk->request).ok());
    core_->add({talk->request, talk->stream, adapters_.at(way), now_});
    talks_.push_back(std::move(talk));
  }

  // Until all have that many tokens.
  void run(std::size_t tokens) {
    while (std::ranges::any_of(talks_, [&](const auto& talk) {
      return talk->tokens.size() < tokens;
    })) {
      const SequenceCore::Turn turn = core_->plan(now_);
      ASSERT_NE(turn.step, nullptr);
      const TimePoint began = now_;
      const Status status = backend_->decode(*turn.step);
      ASSERT_TRUE(status.ok()) << status.to_string();
      now_ += std::chrono::microseconds(10'000 + 50 * turn.step->rows.size());
      core_->commit(status, began, now_);
      for (const auto& talk : talks_) talk->read();
    }
  }

  [[nodiscard]] const std::vector<std::unique_ptr<Talk>>& talks() const { return talks_; }
  [[nodiscard]] SequenceCounts counts() const { return probe_.read(); }

 private:
  const std::shared_ptr<backend::SequenceBackend> backend_;
  std::vector<std::shared_ptr<const NamedAdapter>> adapters_;
  SequenceProbe probe_;
  std::unique_ptr<SequenceCore> core_;
  TimePoint now_{};
  std::vector<std::unique_ptr<Talk>> talks_;
};

// The log probabilities behind every token of the text from `first` on, which is read in steps that
// end where `ends` says.
std::vector<std::vector<double>> read_in_steps(
    backend::SequenceBackend& backend,
    const Tokens& text,
    std::size_t first,
    const std::vector<std::size_t>& ends,
    const backend::SequenceAdapter* adapter
) {
  std::vector<std::vector<double>> out;
  std::size_t at = 0;
  for (const std::size_t end : ends) {
    std::vector<backend::StepRow> rows;
    for (; at < end; ++at)
      rows.push_back({text[at], static_cast<std::int32_t>(at), 0, at >= first});
    backend::SequenceStep step;
    step.rows = rows;
    step.adapter = adapter;
    const Status status = backend.decode(step);
    EXPECT_TRUE(status.ok()) << status.to_string();
    if (!status.ok()) return {};
    for (std::size_t row = 0; row < rows.size(); ++row) {
      if (rows[row].output) out.push_back(log_probabilities(backend.logits(row)));
    }
  }
  backend.remove(0, 0, -1);
  return out;
}

// Steps of so many rows, and what is left.
std::vector<std::size_t> ends_of_steps(std::size_t tokens, std::size_t rows) {
  std::vector<std::size_t> out;
  for (std::size_t end = rows; end < tokens; end += rows) out.push_back(end);
  out.push_back(tokens);
  return out;
}

// Behind the prompt and behind every token but the last of what came: the prompt in one step, then
// token by token.
std::vector<std::vector<double>> alone(
    backend::SequenceBackend& backend, const Talk& talk, const backend::SequenceAdapter* adapter
) {
  const Tokens text = talk.text();
  std::vector<std::size_t> ends;
  for (std::size_t end = talk.prompt().size(); end < text.size(); ++end) ends.push_back(end);
  return read_in_steps(backend, text, talk.prompt().size() - 1, ends, adapter);
}

// How far what was told lies from what is so.
double furthest(const Talk& talk, const std::vector<std::vector<double>>& real) {
  EXPECT_EQ(real.size(), talk.tokens.size());
  if (real.size() != talk.tokens.size()) return std::numeric_limits<double>::infinity();
  double out = 0;
  for (std::size_t i = 0; i < real.size(); ++i) {
    for (const TokenLogprob& one : talk.tokens[i].top) {
      const double apart = one.logprob - real[i][static_cast<std::size_t>(one.token)];
      out = std::max(out, std::abs(apart));
    }
  }
  return out;
}

// Where the best token leads by more than both may move, it is what was said.
std::size_t other_choices(const Talk& talk, const std::vector<std::vector<double>>& real) {
  std::size_t out = 0;
  for (std::size_t i = 0; i < std::min(real.size(), talk.tokens.size()); ++i) {
    auto row = real[i];
    const auto best = std::ranges::max_element(row);
    const auto token = static_cast<Token>(best - row.begin());
    const double most = std::exchange(*best, -1e9);
    const double lead = most - *std::ranges::max_element(row);
    if (lead > 2 * kEpsilon && token != talk.tokens[i].token) ++out;
  }
  return out;
}

constexpr std::string_view kBegin =
    "<|im_start|>system\nYou are an assistant who answers in a few plain words, without lists, and "
    "says so where something is not known.<|im_end|>\n<|im_start|>user\n";
constexpr std::string_view kEnd = "<|im_end|>\n<|im_start|>assistant\n";

std::string prompt_of(std::string_view question) {
  return std::string(kBegin) + std::string(question) + std::string(kEnd);
}

// What each said, asked of every way on a fresh engine: as it was only of its own.
void expect_isolated(const Together& together, Numbers numbers) {
  EXPECT_GT(together.counts().adapter_switches, 2 * kAnswer) << "within the answers";
  double same = 0;
  double other = std::numeric_limits<double>::infinity();
  for (std::size_t way = 0; way < kWays; ++way) {
    const auto fresh = load_model();
    ASSERT_TRUE(fresh);
    const Adapter adapter = load_way(*fresh, way, numbers);
    for (std::size_t i = 0; i < together.talks().size(); ++i) {
      const Talk& talk = *together.talks()[i];
      // One text of each, in one type, is enough to tell them apart.
      if (talk.way != way && (i >= kWays || numbers != Numbers::kQ4)) continue;
      const auto real = alone(*fresh, talk, adapter.get());
      const double apart = furthest(talk, real);
      if (talk.way != way) {
        other = std::min(other, apart);
        continue;
      }
      same = std::max(same, apart);
      EXPECT_EQ(other_choices(talk, real), 0U) << way << " " << i;
    }
  }
  std::printf(
      "epsilon of adapters asked at once: %.4f, %llu changes of adapter\n",
      same,
      static_cast<unsigned long long>(together.counts().adapter_switches)
  );
  if (std::isfinite(other)) std::printf("one taken for another: %.4f at least\n", other);
  EXPECT_LT(same, kEpsilon);
  EXPECT_GT(other, 10 * kEpsilon);
}

class SmolLm2Adapters : public ::testing::TestWithParam<Numbers> {};

// Steps have one row and many: with drafts, and with others of the same adapter.
TEST_P(SmolLm2Adapters, asked_at_once_each_has_the_probabilities_that_it_has_alone) {
  Together together(GetParam(), 8);
  for (std::size_t way = 0; way < kWays; ++way) {
    together.ask(way, prompt_of("What is the capital of France?"));
  }
  together.run(kFirstTokens);
  for (std::size_t way = 0; way < kWays; ++way) {
    together.ask(way, prompt_of("Tell me about lighthouses."));
  }
  together.run(kAnswer);
  expect_isolated(together, GetParam());
  for (std::size_t i = kWays; i < together.talks().size(); ++i) {
    EXPECT_GT(together.talks()[i]->stream->timings().cached_tokens, 20U) << "the same beginning";
  }
}

TEST_P(SmolLm2Adapters, a_text_has_the_same_probabilities_in_steps_of_any_number_of_rows) {
  const auto model = load_model();
  ASSERT_TRUE(model);
  const Tokens text = *model->vocabulary().tokenize(prompt_of("How old is the sea?"), true, true);
  double furthest_apart = 0;
  for (std::size_t way = 0; way < kWays; ++way) {
    const Adapter adapter = load_way(*model, way, GetParam());
    const auto read = [&](std::size_t rows) {
      return read_in_steps(*model, text, 0, ends_of_steps(text.size(), rows), adapter.get());
    };
    const auto one_by_one = read(1);
    ASSERT_EQ(one_by_one.size(), text.size());
    for (const std::size_t rows : {std::size_t{2}, std::size_t{7}, std::size_t{16}, text.size()}) {
      const auto together = read(rows);
      ASSERT_EQ(together.size(), text.size());
      for (std::size_t i = 0; i < text.size(); ++i) {
        for (std::size_t token = 0; token < together[i].size(); ++token) {
          furthest_apart =
              std::max(furthest_apart, std::abs(together[i][token] - one_by_one[i][token]));
        }
      }
    }
  }
  std::printf("epsilon of steps of one row and of many: %.4f\n", furthest_apart);
  EXPECT_LT(furthest_apart, kEpsilon);
}

INSTANTIATE_TEST_SUITE_P(
    Types,
    SmolLm2Adapters,
    ::testing::Values(Numbers::kF32, Numbers::kF16, Numbers::kBf16, Numbers::kQ4),
    [](const auto& type) {
      switch (type.param) {
        case Numbers::kF32:
          return "f32";
        case Numbers::kF16:
          return "f16";
        case Numbers::kBf16:
          return "bf16";
        case Numbers::kQ4:
          return "q4_1";
      }
      return "";
    }
);

}  // namespace
}  // namespace cortex::scheduler
