// SPDX-License-Identifier: Apache-2.0
#include "backend/embedding/embedding_servable.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <deque>
#include <filesystem>
#include <fstream>
#include <memory>
#include <numeric>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "backend/synthetic/synthetic_engine.h"
#include "base/mutex.h"
#include "base/thread.h"

namespace cortex::backend {
namespace {

constexpr std::size_t kWidth = 4;

std::shared_ptr<const text::Tokenizer> small_tokenizer() {
  const auto file = std::filesystem::path(::testing::TempDir()) / "embedding_test_vocab.txt";
  std::ofstream(file) << "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nthe\ncat\nsits\non\nmat\n";
  auto tokenizer = text::Tokenizer::load(file);
  EXPECT_TRUE(tokenizer.ok()) << tokenizer.status().to_string();
  return std::move(*tokenizer);
}

std::unique_ptr<TensorBackend> text_backend(std::map<std::string, std::string> keys = {}) {
  TensorBackendOptions options;
  options.parameters = std::move(keys);
  options.parameters.try_emplace("result", "text");
  options.parameters["width"] = std::to_string(kWidth);
  auto backend = SyntheticEngine().load(options);
  EXPECT_TRUE(backend.ok()) << backend.status().to_string();
  return std::move(*backend);
}

// What reached the lane, kept until the test lets it go on.
struct LaneState {
  struct Waiting {
    std::shared_ptr<const Request> request;
    std::shared_ptr<ResponseStream> stream;
  };
  Mutex mutex;
  std::deque<Waiting> waiting;
  std::size_t submitted = 0;
  bool at_once = true;
  std::unique_ptr<TensorBackend> backend;

  void serve(const Waiting& one, bool in_two_steps = false) const {
    if (one.stream->cancelled()) return one.stream->finish(cancelled("the client left"));
    const auto& input = std::get<InferInput>(one.request->input);
    InferOutput output;
    const Status status = backend->run({input.inputs, input.outputs}, output.outputs);
    Timings timings;
    timings.queue = std::chrono::microseconds(input.inputs[0].shape[1]);
    timings.compute = std::chrono::microseconds(10);
    timings.batch_size = 1;
    if (!status.ok()) return one.stream->finish(status, timings);
    if (!in_two_steps) return one.stream->finish(ResponsePart(std::move(output)), timings);
    EXPECT_TRUE(one.stream->write(ResponsePart(std::move(output))));
    one.stream->finish(Status(), timings);
  }

  bool serve_first() {
    Waiting one;
    {
      MutexLock lock(mutex);
      if (waiting.empty()) return false;
      one = std::move(waiting.front());
      waiting.pop_front();
    }
    serve(one);
    return true;
  }
};

class FakeLane final : public Servable {
 public:
  explicit FakeLane(std::shared_ptr<LaneState> state) : state_(std::move(state)) {}
  ~FakeLane() override {
    for (const auto& one : std::exchange(state_->waiting, {})) {
      one.stream->finish(unavailable("the lane ends"));
    }
  }
  void submit(std::shared_ptr<const Request> request, std::shared_ptr<ResponseStream> stream)
      override {
    {
      MutexLock lock(state_->mutex);
      ++state_->submitted;
      if (!state_->at_once) {
        state_->waiting.push_back({std::move(request), std::move(stream)});
        return;
      }
    }
    state_->serve({std::move(request), std::move(stream)}, true);
  }

 private:
  std::shared_ptr<LaneState> state_;
};

struct Answer {
  std::shared_ptr<ResponseStream> stream = std::make_shared<ResponseStream>();
  std::optional<EmbeddingOutput> read() {
    auto part = stream->read();
    return part ? std::optional(std::get<EmbeddingOutput>(*part)) : std::nullopt;
  }
};

class EmbeddingServableTest : public ::testing::Test {
 protected:
  void SetUp() override {
    config_.name = "sample";
    config_.text.normalize = false;
    state_->backend = text_backend();
  }

  EmbeddingServable& servable() {
    if (servable_) return *servable_;
    EmbeddingParts parts;
    parts.lane = std::make_unique<FakeLane>(state_);
    parts.tokenizer = tokenizer_;
    parts.config = config_;
    parts.signature = state_->backend->signature();
    parts.cpu = &pool_;
    auto made = EmbeddingServable::make(std::move(parts), options_);
    EXPECT_TRUE(made.ok()) << made.status().to_string();
    servable_ = std::move(*made);
    return *servable_;
  }

  Answer ask(EmbeddingInput input) {
    auto request = std::make_shared<Request>();
    request->id = "r";
    request->input = std::move(input);
    Answer answer;
    servable().submit(std::move(request), answer.stream);
    return answer;
  }

  Answer ask_texts(std::vector<std::string> texts) {
    EmbeddingInput input;
    input.texts = std::move(texts);
    return ask(std::move(input));
  }

  Answer ask_tokens(std::vector<std::vector<std::int64_t>> tokens, bool truncate = true) {
    EmbeddingInput input;
    input.tokens = std::move(tokens);
    input.truncate = truncate;
    return ask(std::move(input));
  }

  std::shared_ptr<ResponseStream> rank(RerankInput input) {
    auto request = std::make_shared<Request>();
    request->model.name = "sample";
    request->input = std::move(input);
    auto stream = std::make_shared<ResponseStream>();
    servable().submit(std::move(request), stream);
    return stream;
  }

  std::vector<float> vector_of(const std::string& text) { return ask_texts({text}).read()->values; }

  std::shared_ptr<LaneState> state_ = std::make_shared<LaneState>();
  std::shared_ptr<const text::Tokenizer> tokenizer_ = small_tokenizer();
  ModelConfig config_;
  EmbeddingOptions options_;
  Mutex pool_stops_here_;
  ThreadPool pool_{"cpu", 1, 1};
  std::unique_ptr<EmbeddingServable> servable_;
};

TEST_F(EmbeddingServableTest, turns_a_text_into_the_mean_of_its_tokens) {
  const Answer answer = ask_texts({"the cat"});
  ASSERT_TRUE(answer.stream->status().ok()) << answer.stream->status().to_string();
  const auto output = Answer(answer).read();
  ASSERT_TRUE(output);
  EXPECT_EQ(output->dimensions, kWidth);
  // [CLS] the cat [SEP], by hand.
  const std::vector<std::int64_t> ids = {2, 5, 6, 3};
  const std::vector<std::int64_t> mask(4, 1);
  std::vector<Tensor> states;
  TensorRun run;
  run.inputs = {
      tensor_of("input_ids", {1, 4}, std::span<const std::int64_t>(ids)),
      tensor_of("attention_mask", {1, 4}, std::span<const std::int64_t>(mask)),
  };
  ASSERT_TRUE(state_->backend->run(run, states).ok());
  for (std::size_t column = 0; column < kWidth; ++column) {
    float mean = 0;
    for (std::size_t row = 0; row < 4; ++row) mean += states[0].as<float>()[row * kWidth + column];
    EXPECT_FLOAT_EQ(output->values[column], mean / 4);
  }
  EXPECT_EQ(answer.stream->timings().input_tokens, 4u);
}

TEST_F(EmbeddingServableTest, answers_texts_in_their_order_as_if_they_came_alone) {
  const auto output = ask_texts({"the cat", "", "cat sits on the mat"}).read();
  ASSERT_TRUE(output);
  std::vector<float> expected;
  for (const char* text : {"the cat", "", "cat sits on the mat"}) {
    const auto one = vector_of(text);
    expected.insert(expected.end(), one.begin(), one.end());
  }
  EXPECT_EQ(output->values, expected);
}

TEST_F(EmbeddingServableTest, takes_the_first_token_s_state_where_told) {
  config_.text.pooling = Pooling::kCls;
  const auto values = vector_of("the cat");
  // The first token is the same for all texts, and so is its state here.
  EXPECT_EQ(values, vector_of("mat"));
}

TEST_F(EmbeddingServableTest, takes_the_last_token_s_state_where_told) {
  config_.text.pooling = Pooling::kLast;
  // The last token is [SEP], and the state depends on its place.
  EXPECT_EQ(vector_of("the cat"), vector_of("on mat"));
  EXPECT_NE(vector_of("the cat"), vector_of("cat"));
}

TEST_F(EmbeddingServableTest, ranks_documents_by_what_the_model_says_of_each_pair) {
  state_->backend = text_backend({{"result", "pair"}});
  config_.text.pooling = Pooling::kRank;
  const auto stream = rank({"the cat", {"on mat", "the cat sits", "cat"}, true});
  ASSERT_TRUE(stream->status().ok()) << stream->status().to_string();
  const auto output = std::get<RerankOutput>(stream->read().value());
  // The shared [SEP] counts as one.
  ASSERT_EQ(output.scores.size(), 3u);
  for (const auto& [index, shared] : {std::pair{0, 1}, {1, 3}, {2, 2}}) {
    EXPECT_FLOAT_EQ(
        output.scores[static_cast<std::size_t>(index)],
        1 / (1 + std::exp(-static_cast<float>(shared)))
    );
  }
  EXPECT_EQ(stream->timings().input_tokens, 7u + 8u + 6u);
  EXPECT_EQ(state_->submitted, 3u);
}

TEST_F(EmbeddingServableTest, ranks_documents_by_their_embeddings_where_it_has_no_pairs) {
  const auto stream = rank({"the cat", {"mat", "the cat", ""}, true});
  const auto output = std::get<RerankOutput>(stream->read().value());
  ASSERT_EQ(output.scores.size(), 3u);
  EXPECT_NEAR(output.scores[1], 1, 1e-6);
  const auto query = vector_of("the cat");
  const auto mat = vector_of("mat");
  const auto product = [](const std::vector<float>& a, const std::vector<float>& b) {
    return std::inner_product(a.begin(), a.end(), b.begin(), 0.0f);
  };
  EXPECT_NEAR(
      output.scores[0],
      product(query, mat) / std::sqrt(product(query, query) * product(mat, mat)),
      1e-6
  );
}

TEST_F(EmbeddingServableTest, names_the_text_of_a_ranking_that_is_at_fault) {
  config_.text.context_length = 4;
  options_.texts_max = 2;
  EXPECT_EQ(rank({"the", {}, true})->status().code(), Code::kInvalidArgument);
  EXPECT_EQ(rank({"the", {"a", "b", "c"}, true})->status().code(), Code::kInvalidArgument);
  EXPECT_TRUE(rank({"the", {"the cat sits"}, true})->status().ok());
  const auto refused = rank({"the", {"cat", "the cat sits"}, false})->status();
  EXPECT_EQ(refused.code(), Code::kInvalidArgument);
  EXPECT_NE(refused.text().find("documents[1]: 5 tokens"), std::string::npos) << refused.text();
  const auto query = rank({"the cat sits", {"cat"}, false})->status();
  EXPECT_NE(query.text().find("query: 5 tokens"), std::string::npos) << query.text();
}

TEST_F(EmbeddingServableTest, a_model_of_pairs_embeds_nothing_and_cuts_the_longer_text) {
  state_->backend = text_backend({{"result", "pair"}});
  config_.text.pooling = Pooling::kRank;
  config_.text.context_length = 6;
  EXPECT_EQ(ask_texts({"the"}).stream->status().code(), Code::kInvalidArgument);
  const auto cut = rank({"the", {"cat sits on the mat"}, true});
  EXPECT_EQ(cut->timings().input_tokens, 6u);
  const auto refused = rank({"the", {"cat sits on the mat"}, false})->status();
  EXPECT_NE(refused.text().find("documents[0]: 9 tokens"), std::string::npos) << refused.text();
}

TEST_F(EmbeddingServableTest, scales_to_length_one_where_told) {
  config_.text.normalize = true;
  const auto values = vector_of("the cat");
  EXPECT_NEAR(std::inner_product(values.begin(), values.end(), values.begin(), 0.0f), 1.0f, 1e-5f);
}

TEST_F(EmbeddingServableTest, takes_tokens_instead_of_texts) {
  const auto output = ask_tokens({{2, 5, 6, 3}}).read();
  ASSERT_TRUE(output);
  EXPECT_EQ(output->values, vector_of("the cat"));
}

TEST_F(EmbeddingServableTest, refuses_tokens_outside_the_vocabulary_and_lists_of_nothing) {
  for (const auto& tokens : std::vector<std::vector<std::vector<std::int64_t>>>{
           {{2, 10}}, {{-1}}, {{}}, {{2}, {1'000'000}}, {}
       }) {
    EXPECT_EQ(ask_tokens(tokens).stream->status().code(), Code::kInvalidArgument);
  }
  const Answer answer = ask_tokens({{2}, {99}});
  EXPECT_NE(answer.stream->status().text().find("input[1]"), std::string::npos);
  EXPECT_EQ(state_->submitted, 0u);
}

TEST_F(EmbeddingServableTest, cuts_long_texts_or_refuses_them) {
  config_.text.context_length = 4;
  const Answer cut = ask_texts({"the cat sits on the mat"});
  EXPECT_TRUE(cut.stream->status().ok());
  EXPECT_EQ(cut.stream->timings().input_tokens, 4u);
  EmbeddingInput whole;
  whole.texts = {"the cat sits on the mat"};
  whole.truncate = false;
  const Answer refused = ask(whole);
  EXPECT_EQ(refused.stream->status().code(), Code::kInvalidArgument);
  EXPECT_NE(refused.stream->status().text().find("8 tokens"), std::string::npos)
      << refused.stream->status().text();
  EXPECT_EQ(ask_tokens({{2, 5, 6, 7, 3}}).stream->timings().input_tokens, 4u);
  EXPECT_EQ(ask_tokens({{2, 5, 6, 7, 3}}, false).stream->status().code(), Code::kInvalidArgument);
}

TEST_F(EmbeddingServableTest, refuses_too_many_texts_by_naming_the_limit) {
  options_.texts_max = 2;
  const Answer answer = ask_texts({"a", "b", "c"});
  EXPECT_EQ(answer.stream->status().code(), Code::kInvalidArgument);
  EXPECT_NE(answer.stream->status().text().find("the limit is 2"), std::string::npos);
}

TEST_F(EmbeddingServableTest, keeps_no_more_rows_in_the_lane_than_its_window) {
  options_.rows_in_flight_max = 3;
  state_->at_once = false;
  Answer answer = ask_texts(std::vector<std::string>(10, "the cat"));
  for (std::size_t served = 0; served < 10; ++served) {
    EXPECT_EQ(state_->waiting.size(), std::min<std::size_t>(3, 10 - served));
    EXPECT_FALSE(answer.stream->finished());
    EXPECT_TRUE(state_->serve_first());
  }
  ASSERT_TRUE(answer.read());
  EXPECT_TRUE(answer.stream->finished());
}

TEST_F(EmbeddingServableTest, sums_what_its_rows_took) {
  const Answer answer = ask_texts({"the cat", "mat"});
  const Timings& timings = answer.stream->timings();
  EXPECT_EQ(timings.input_tokens, 7u);
  EXPECT_EQ(timings.queue, std::chrono::microseconds(4));
  EXPECT_EQ(timings.compute, std::chrono::microseconds(20));
  EXPECT_EQ(timings.batch_size, 1u);
}

TEST_F(EmbeddingServableTest, one_row_that_fails_fails_its_request_and_cancels_the_others) {
  state_->backend = text_backend({{"fail_at", "1"}, {"fail_code", "unavailable"}});
  state_->at_once = false;
  options_.rows_in_flight_max = 2;
  const Answer answer = ask_texts({"the", "cat", "mat"});
  ASSERT_EQ(state_->waiting.size(), 2u);
  EXPECT_TRUE(state_->serve_first());
  ASSERT_EQ(state_->waiting.size(), 1u) << "nothing is submitted behind a failure";
  EXPECT_TRUE(state_->waiting.front().stream->cancelled());
  EXPECT_FALSE(answer.stream->finished());
  EXPECT_TRUE(state_->serve_first());
  ASSERT_TRUE(answer.stream->finished());
  EXPECT_EQ(answer.stream->status().code(), Code::kUnavailable);
}

TEST_F(EmbeddingServableTest, what_is_of_the_whole_request_blames_no_text) {
  state_->at_once = false;
  const auto refused = [&](Status status) {
    const auto stream = rank({"the", {"cat", "mat"}, true});
    while (!state_->waiting.empty()) {
      const auto one = std::exchange(state_->waiting, {});
      for (const auto& row : one) row.stream->finish(status);
    }
    return stream->status().text();
  };
  EXPECT_EQ(refused(deadline_exceeded("Request timeout expired")), "Request timeout expired");
  EXPECT_EQ(refused(resource_exhausted("the queue is full")), "the queue is full");
  EXPECT_EQ(refused(invalid_argument("too many tokens")), "query: too many tokens");
}

TEST_F(EmbeddingServableTest, a_client_that_leaves_takes_its_rows_along) {
  state_->at_once = false;
  options_.rows_in_flight_max = 2;
  const Answer answer = ask_texts({"the", "cat", "mat"});
  answer.stream->cancel();
  EXPECT_TRUE(state_->waiting.front().stream->cancelled());
  while (state_->serve_first()) {
  }
  EXPECT_EQ(state_->submitted, 2u);
  EXPECT_EQ(answer.stream->status().code(), Code::kCancelled);
}

TEST_F(EmbeddingServableTest, passes_tensors_through) {
  auto request = std::make_shared<Request>();
  const std::vector<std::int64_t> ids = {2, 3};
  const std::vector<std::int64_t> mask = {1, 1};
  request->input = InferInput{
      {tensor_of("input_ids", {1, 2}, std::span<const std::int64_t>(ids)),
       tensor_of("attention_mask", {1, 2}, std::span<const std::int64_t>(mask))},
      {}
  };
  const auto stream = std::make_shared<ResponseStream>();
  servable().submit(request, stream);
  const auto part = stream->read();
  ASSERT_TRUE(part);
  EXPECT_EQ(std::get<InferOutput>(*part).outputs[0].shape, (Shape{1, 2, kWidth}));
}

TEST_F(EmbeddingServableTest, tokenises_long_texts_on_the_pool) {
  options_.inline_bytes_max = 2;
  Answer answer = ask_texts({"the cat"});
  Mutex mutex;
  Condition ended;
  bool done = false;
  answer.stream->on_ready([&] {
    MutexLock lock(mutex);
    done = true;
    ended.notify_one();
  });
  MutexLock lock(mutex);
  const TimePoint deadline = steady_clock().now() + std::chrono::seconds(10);
  while (!done && steady_clock().now() < deadline) {
    static_cast<void>(ended.wait_until(mutex, deadline));
  }
  ASSERT_TRUE(done);
  EXPECT_TRUE(answer.read());
}

TEST_F(EmbeddingServableTest, refuses_long_texts_when_the_pool_is_full) {
  options_.inline_bytes_max = 2;
  pool_stops_here_.lock();
  std::atomic<bool> taken = false;
  EXPECT_TRUE(pool_.submit([&] {
    taken = true;
    taken.notify_one();
    MutexLock held(pool_stops_here_);
  }));
  taken.wait(false);
  // Its one thread waits; this one fills the queue behind it.
  EXPECT_TRUE(pool_.submit([] {}));
  const Answer answer = ask_texts({"the cat"});
  pool_stops_here_.unlock();
  EXPECT_EQ(answer.stream->status().code(), Code::kResourceExhausted);
  EXPECT_TRUE(answer.stream->status().retry_after());
}

TEST_F(EmbeddingServableTest, ends_every_request_inside_before_it_is_gone) {
  state_->at_once = false;
  options_.rows_in_flight_max = 2;
  const Answer answer = ask_texts({"the", "cat", "mat"});
  servable_.reset();
  ASSERT_TRUE(answer.stream->finished());
  EXPECT_EQ(answer.stream->status().code(), Code::kUnavailable);
}

TEST_F(EmbeddingServableTest, serves_a_request_s_rows_from_several_lanes_at_once) {
  state_->at_once = false;
  options_.rows_in_flight_max = 5;
  std::vector<std::string> texts;
  for (int i = 0; i < 200; ++i) texts.push_back(i % 2 == 0 ? "the cat" : "mat on the cat");
  Answer answer = ask_texts(texts);
  std::atomic<bool> done{false};
  answer.stream->on_ready([&] { done = true; });
  {
    std::vector<Thread> lanes;
    for (int i = 0; i < 3; ++i) {
      lanes.emplace_back("lane", [&] {
        while (!done) {
          if (!state_->serve_first()) std::this_thread::yield();
        }
      });
    }
  }
  const auto output = answer.read();
  ASSERT_TRUE(output) << answer.stream->status().to_string();
  state_->at_once = true;
  const auto even = vector_of("the cat");
  const auto odd = vector_of("mat on the cat");
  for (std::size_t i = 0; i < 200; ++i) {
    const auto& expected = i % 2 == 0 ? even : odd;
    EXPECT_TRUE(std::equal(
        expected.begin(),
        expected.end(),
        output->values.begin() + static_cast<std::ptrdiff_t>(i * kWidth)
    ));
  }
}

TEST_F(EmbeddingServableTest, is_not_made_for_a_model_without_tokens) {
  EmbeddingParts parts;
  parts.lane = std::make_unique<FakeLane>(state_);
  parts.tokenizer = tokenizer_;
  parts.cpu = &pool_;
  parts.signature.inputs = {{"INPUT0", DataType::kFp32, {-1, 16}}};
  EXPECT_EQ(EmbeddingServable::make(std::move(parts)).status().code(), Code::kFailedPrecondition);
}

TEST_F(EmbeddingServableTest, tells_the_tokens_of_a_text_without_the_lane) {
  const auto ask = [&](TokenizeInput input) {
    auto request = std::make_shared<Request>();
    request->input = std::move(input);
    auto stream = std::make_shared<ResponseStream>();
    servable().submit(request, stream);
    return stream;
  };
  TokenizeInput input{Prompt{"the cat", {}, false}};
  input.pieces = true;
  const auto told = std::get<TokenizeOutput>(ask(input)->read().value());
  EXPECT_EQ(told.tokens, (std::vector<Token>{2, 5, 6, 3}));
  EXPECT_EQ(told.pieces, (std::vector<std::string>{"[CLS]", "the", "cat", "[SEP]"}));
  EXPECT_GT(told.context_length, 0u);
  input.special = false;
  EXPECT_EQ(
      std::get<TokenizeOutput>(ask(input)->read().value()).tokens, (std::vector<Token>{5, 6})
  );
  EXPECT_EQ(ask(TokenizeInput{Conversation()})->status().field(), "messages");
  EXPECT_EQ(ask(TokenizeInput{Prompt{"", {99}, false}})->status().code(), Code::kInvalidArgument);
  EXPECT_EQ(state_->submitted, 0u);
}

TEST_F(EmbeddingServableTest, makes_text_of_tokens) {
  const auto ask = [&](std::vector<Token> tokens) {
    auto request = std::make_shared<Request>();
    request->input = DetokenizeInput{std::move(tokens)};
    auto stream = std::make_shared<ResponseStream>();
    servable().submit(request, stream);
    return stream;
  };
  EXPECT_EQ(
      std::get<DetokenizeOutput>(ask({2, 5, 6, 3})->read().value()).text, "[CLS] the cat [SEP]"
  );
  EXPECT_EQ(ask({5, 10})->status().field(), "tokens");
}

}  // namespace
}  // namespace cortex::backend
