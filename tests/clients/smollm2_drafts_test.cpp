// SPDX-License-Identifier: Apache-2.0
// Speculation on the demo model: drafted tokens are run as rows of one step, whose numbers may
// differ a little from those of single rows. Where the most likely token is ahead by more than both
// may move, it is the same token.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "backend/llama/llama_engine.h"
#include "base/clock.h"
#include "scheduler/sequence_core.h"

namespace cortex::scheduler {
namespace {

constexpr float kEpsilon = 0.05F;
constexpr std::size_t kAnswer = 160;

struct Answer {
  std::vector<SampledToken> tokens;
  SequenceCounts counts;
  double seconds = 0;
};

class SmolLm2Drafts : public ::testing::Test {
 protected:
  static std::unique_ptr<backend::SequenceBackend> load() {
    backend::SequenceBackendOptions options;
    options.model_file = std::filesystem::path(CORTEX_MODELS) / "smollm2" / "1" / "model.gguf";
    options.model_name = "smollm2";
    options.cells = 2048;
    options.context_length = 1024;
    auto loaded = backend::LlamaEngine().load(options);
    EXPECT_TRUE(loaded.ok()) << loaded.status().to_string();
    return loaded.ok() ? std::move(*loaded) : nullptr;
  }
  static void SetUpTestSuite() {
    backend_ = load();
    ASSERT_NE(backend_, nullptr);
  }
  static void TearDownTestSuite() {
    backend_.reset();
    alone_.clear();
  }

  static std::shared_ptr<Request> request_of(std::string_view text) {
    auto request = std::make_shared<Request>();
    SequenceInput input;
    input.prompt = *backend_->vocabulary().tokenize(text, true, true);
    input.tokens_max = kAnswer;
    input.ignore_end = true;
    input.sampling.temperature = 0;
    input.top_logprobs = 2;
    request->input = std::move(input);
    return request;
  }

  // Without a draft, once for all tests.
  static const Answer& alone(std::string_view text) {
    const auto known = alone_.find(text);
    if (known != alone_.end()) return known->second;
    return alone_.emplace(text, say(*request_of(text), 0, false)).first->second;
  }

  // With `rows_are_cheap` the core is told of a machine on which every draft pays.
  static Answer say(const Request& request, std::size_t drafts, bool rows_are_cheap) {
    SequenceCoreOptions options;
    options.draft_tokens_max = drafts;
    return say(request, std::move(options), rows_are_cheap);
  }

  static Answer say(const Request& request, SequenceCoreOptions options, bool rows_are_cheap) {
    SequenceProbe probe;
    SequenceCore core(std::move(options), *backend_, probe);
    const auto stream = std::make_shared<ResponseStream>(2 * kAnswer);
    const auto asked = std::make_shared<Request>(request);
    EXPECT_TRUE(core.door().enter(*asked).ok());
    const TimePoint start = steady_clock().now();
    core.add({asked, stream, nullptr, start});
    while (!stream->finished()) {
      const SequenceCore::Turn turn = core.plan(steady_clock().now());
      if (turn.step == nullptr) break;
      const TimePoint began = steady_clock().now();
      const Status status = backend_->decode(*turn.step);
      EXPECT_TRUE(status.ok()) << status.to_string();
      const auto rows = static_cast<std::int64_t>(turn.step->rows.size());
      const Duration told = std::chrono::microseconds(10'000 + 50 * rows);
      core.commit(status, began, rows_are_cheap ? began + told : steady_clock().now());
      read(*stream, out_);
    }
    read(*stream, out_);
    Answer answer{std::exchange(out_, {}), probe.read(), 0};
    answer.seconds = std::chrono::duration<double>(steady_clock().now() - start).count();
    core.close({Code::kUnavailable, "over"}, steady_clock().now());
    return answer;
  }

  static void read(ResponseStream& stream, std::vector<SampledToken>& into) {
    while (auto part = stream.read()) {
      for (auto& token : std::get<TokenOutput>(*part).tokens) into.push_back(std::move(token));
    }
  }

  static std::unique_ptr<backend::SequenceBackend> backend_;
  static inline std::vector<SampledToken> out_;
  static inline std::map<std::string_view, Answer> alone_;
};

std::unique_ptr<backend::SequenceBackend> SmolLm2Drafts::backend_;

float margin_of(const SampledToken& token) { return token.top[0].logprob - token.top[1].logprob; }

// Behind the first token that was drawn otherwise the texts are two.
void expect_same_within_epsilon(const Answer& with, const Answer& without) {
  ASSERT_EQ(with.tokens.size(), without.tokens.size());
  float furthest = 0;
  std::size_t same = 0;
  for (; same < with.tokens.size(); ++same) {
    const SampledToken& a = with.tokens[same];
    const SampledToken& b = without.tokens[same];
    if (a.token != b.token) break;
    furthest = std::max(furthest, std::abs(a.logprob - b.logprob));
  }
  std::printf(
      "%zu of %zu tokens the same, furthest %.4f; %llu of %llu drafted came true, %llu steps\n",
      same,
      with.tokens.size(),
      static_cast<double>(furthest),
      static_cast<unsigned long long>(with.counts.draft_tokens_accepted),
      static_cast<unsigned long long>(with.counts.draft_tokens),
      static_cast<unsigned long long>(with.counts.steps)
  );
  EXPECT_LT(furthest, kEpsilon);
  if (same == with.tokens.size()) return;
  EXPECT_LE(margin_of(without.tokens[same]), 2 * kEpsilon) << "at token " << same;
  EXPECT_LE(margin_of(with.tokens[same]), 2 * kEpsilon) << "at token " << same;
}

constexpr std::string_view kRepetitive =
    "<|im_start|>user\nRepeat this list three times, word for word: apples, oranges, green pears, "
    "ripe bananas, sweet cherries, dark plums.<|im_end|>\n<|im_start|>assistant\napples, oranges, "
    "green pears, ripe bananas, sweet cherries, dark plums.\napples, oranges,";
constexpr std::string_view kProse =
    "<|im_start|>user\nTell me a story about a lighthouse.<|im_end|>\n<|im_start|>assistant\n";

TEST_F(SmolLm2Drafts, say_the_same_wherever_the_margin_allows_no_other) {
  for (const std::string_view text : {kRepetitive, kProse}) {
    const auto request = request_of(text);
    const Answer& without = alone(text);
    const Answer with = say(*request, 8, true);
    ASSERT_EQ(without.tokens.size(), kAnswer);
    EXPECT_GT(with.counts.draft_tokens_accepted, 0u);
    EXPECT_LT(with.counts.steps, without.counts.steps);
    expect_same_within_epsilon(with, without);
  }
}

TEST_F(SmolLm2Drafts, answer_by_what_this_machine_was_measured_to_take) {
  for (const std::string_view text : {kRepetitive, kProse}) {
    const auto request = request_of(text);
    const Answer& without = alone(text);
    const Answer with = say(*request, 8, false);
    expect_same_within_epsilon(with, without);
    std::printf("%.2f times as fast\n", without.seconds / with.seconds);
  }
}

// The same file once more: what it foretells without chance is what is said without chance, but
// where two tokens are as likely as rounding can tell.
TEST_F(SmolLm2Drafts, of_the_model_itself_come_true_and_say_the_same) {
  constexpr std::size_t kDrafts = 8;
  constexpr std::size_t kTiesMax =
      3;  // that may be drawn the other way, each in a draft of its own
  for (const std::string_view text : {kProse, kRepetitive}) {
    SequenceCoreOptions options;
    options.draft_tokens_max = kDrafts;
    options.draft_gain_min = 0;  // it can never be faster, and is to run nevertheless
    options.draft_backend = load();
    ASSERT_NE(options.draft_backend, nullptr);
    const Status fits = DraftModel::fits(*options.draft_backend, *backend_);
    ASSERT_TRUE(fits.ok()) << fits.to_string();
    options.clock = &steady_clock();
    const Answer& without = alone(text);
    const Answer with = say(*request_of(text), std::move(options), false);
    expect_same_within_epsilon(with, without);
    std::size_t ties = 0;
    for (const SampledToken& token : with.tokens) ties += margin_of(token) <= 2 * kEpsilon ? 1 : 0;
    const SequenceCounts& counts = with.counts;
    std::printf(
        "%llu of %llu of the model's own came true, %llu of %llu of the text's; %zu ties\n",
        static_cast<unsigned long long>(counts.model_draft_tokens_accepted),
        static_cast<unsigned long long>(counts.model_draft_tokens),
        static_cast<unsigned long long>(counts.lookup_draft_tokens_accepted),
        static_cast<unsigned long long>(counts.lookup_draft_tokens),
        ties
    );
    EXPECT_GT(counts.draft_model_steps, 0u);
    EXPECT_GT(counts.model_draft_tokens_accepted, 0u);
    const std::size_t failed = counts.model_draft_tokens - counts.model_draft_tokens_accepted;
    EXPECT_LE(failed, kDrafts * std::min(ties, kTiesMax));
    EXPECT_LT(counts.steps, without.counts.steps);
  }
}

}  // namespace
}  // namespace cortex::scheduler
