// SPDX-License-Identifier: Apache-2.0
#include "router/stages/quota.h"

#include <optional>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "router/default_stages.h"
#include "router/local_limiter.h"
#include "router/metered_stream.h"
#include "router/router.h"

namespace cortex::router {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::HasSubstr;

QuotaAsk ask(QuotaLimits limits, std::uint64_t in = 0, std::uint64_t out = 0) {
  return {"shop", limits, in, out, true};
}

class LocalLimiterTest : public ::testing::Test {
 protected:
  QuotaAnswer take(const QuotaAsk& what) {
    const auto answer = limiter_.take(what, nullptr);
    EXPECT_TRUE(answer);
    return *answer;
  }
  QuotaLevel tokens(const QuotaLimits& limits) { return *limiter_.state("shop", limits).tokens; }

  VirtualClock clock_;
  LocalLimiter limiter_{clock_, 16};
};

TEST_F(LocalLimiterTest, grants_a_minutes_requests_at_once_and_then_one_at_a_time) {
  const QuotaLimits limits{3, 0, 0};
  for (int i = 0; i < 3; ++i) EXPECT_FALSE(take(ask(limits)).refusal) << i;
  const QuotaAnswer fourth = take(ask(limits));
  ASSERT_TRUE(fourth.refusal);
  EXPECT_EQ(fourth.refusal->kind, QuotaKind::kRequests);
  EXPECT_EQ(fourth.refusal->limit, 3u);
  EXPECT_EQ(fourth.refusal->used, 3u);
  EXPECT_EQ(fourth.refusal->wait, seconds(20));
  clock_.advance(seconds(20) - std::chrono::microseconds(1));
  EXPECT_TRUE(take(ask(limits)).refusal);
  clock_.advance(std::chrono::microseconds(1));
  EXPECT_FALSE(take(ask(limits)).refusal);
  EXPECT_TRUE(take(ask(limits)).refusal);
}

TEST_F(LocalLimiterTest, a_refusal_takes_nothing) {
  const QuotaLimits limits{2, 100, 0};
  EXPECT_EQ(take(ask(limits, 60, 30)).reserved, 90u);
  const QuotaAnswer refused = take(ask(limits, 11));
  ASSERT_TRUE(refused.refusal);
  EXPECT_EQ(refused.refusal->kind, QuotaKind::kTokens);
  EXPECT_EQ(refused.refusal->wait, milliseconds(600));
  EXPECT_EQ(limiter_.state("shop", limits).requests->remaining, 1u);
  EXPECT_EQ(tokens(limits).remaining, 10u);
  EXPECT_EQ(limiter_.running("shop"), 1u);
}

TEST_F(LocalLimiterTest, an_answer_is_reserved_as_far_as_the_limit_goes) {
  EXPECT_EQ(take(ask({0, 100, 0}, 40, 5'000)).reserved, 100u);
}

TEST_F(LocalLimiterTest, an_input_above_the_limit_is_refused_for_good) {
  const QuotaAnswer answer = take(ask({0, 100, 0}, 101));
  ASSERT_TRUE(answer.refusal);
  EXPECT_EQ(answer.refusal->kind, QuotaKind::kTooLarge);
  const Status status = refusal_status(*answer.refusal, "shop");
  EXPECT_FALSE(status.retry_after());
  EXPECT_EQ(status.reason(), kTokensReason);
  EXPECT_THAT(status.text(), HasSubstr("Limit 100, Used 0, Requested 101"));
}

TEST_F(LocalLimiterTest, settlement_gives_back_what_was_not_used) {
  const QuotaLimits limits{0, 100, 0};
  const QuotaAnswer granted = take(ask(limits, 10, 90));
  EXPECT_EQ(tokens(limits).remaining, 0u);
  limiter_.settle(ask(limits), granted.reserved, 25);
  EXPECT_EQ(tokens(limits).remaining, 75u);
  EXPECT_EQ(tokens(limits).reset, seconds(15));
}

TEST_F(LocalLimiterTest, what_was_used_beyond_the_reserve_is_a_debt) {
  const QuotaLimits limits{0, 60, 0};
  const QuotaAnswer granted = take(ask(limits, 60));
  limiter_.settle(ask(limits), granted.reserved, 90);
  EXPECT_EQ(tokens(limits).remaining, 0u);
  EXPECT_EQ(tokens(limits).reset, seconds(90));
  clock_.advance(seconds(30));
  EXPECT_EQ(take(ask(limits, 1)).refusal->wait, seconds(1));
  clock_.advance(seconds(1));
  EXPECT_FALSE(take(ask(limits, 1)).refusal);
}

TEST_F(LocalLimiterTest, so_many_run_at_a_time) {
  const QuotaLimits limits{0, 0, 2};
  take(ask(limits));
  take(ask(limits));
  const QuotaAnswer third = take(ask(limits));
  ASSERT_TRUE(third.refusal);
  EXPECT_EQ(third.refusal->kind, QuotaKind::kConcurrency);
  EXPECT_EQ(third.refusal->used, 2u);
  limiter_.settle(ask(limits), 0, 0);
  EXPECT_FALSE(take(ask(limits)).refusal);
}

TEST_F(LocalLimiterTest, a_request_that_runs_nothing_holds_no_place) {
  QuotaAsk light = ask({2, 0, 1});
  light.holds_place = false;
  EXPECT_FALSE(take(light).refusal);
  EXPECT_EQ(limiter_.running("shop"), 0u);
  EXPECT_FALSE(take(ask({2, 0, 1})).refusal);
  EXPECT_EQ(take(light).refusal->kind, QuotaKind::kRequests);
}

TEST_F(LocalLimiterTest, principals_do_not_share) {
  const QuotaLimits limits{1, 0, 0};
  EXPECT_FALSE(take(ask(limits)).refusal);
  EXPECT_FALSE(take({"other", limits, 0, 0, true}).refusal);
  EXPECT_TRUE(take(ask(limits)).refusal);
}

// Sixteen principals in sixteen shards: room for one each.
TEST_F(LocalLimiterTest, forgets_those_who_owe_nothing_and_refuses_others_when_it_is_full) {
  const QuotaLimits limits{60, 0, 0};
  std::size_t granted = 0;
  for (int i = 0; i < 64; ++i) {
    const std::string name = "key-" + std::to_string(i);
    const QuotaAnswer answer = take({name, limits, 0, 0, false});
    if (!answer.refusal) {
      ++granted;
    } else {
      EXPECT_EQ(answer.refusal->kind, QuotaKind::kPrincipals);
    }
  }
  EXPECT_EQ(limiter_.principals(), granted);
  EXPECT_LE(granted, 16u);
  clock_.advance(seconds(1));
  for (int i = 0; i < 64; ++i) {
    const std::string name = "late-" + std::to_string(i);
    granted += take({name, limits, 0, 0, false}).refusal ? 0u : 1u;
    clock_.advance(seconds(1));
  }
  EXPECT_GE(granted, 64u);
  EXPECT_LE(limiter_.principals(), 16u);
}

TEST(Quotas, a_keys_own_limits_come_before_the_defaults) {
  config::KeyEntry own;
  own.name = "own";
  own.limits.requests_per_minute = 7;
  own.limits.concurrent_requests = 0;
  config::KeyEntry plain;
  plain.name = "plain";
  const Quotas quotas({60, 1'000, 4}, {own, plain}, false);
  Principal principal;
  principal.key = "own";
  EXPECT_EQ(quotas.of(principal).requests_per_minute, 7u);
  EXPECT_EQ(quotas.of(principal).tokens_per_minute, 1'000u);
  EXPECT_EQ(quotas.of(principal).concurrent_requests, 0u);
  principal.key = "api-key-1";
  EXPECT_EQ(quotas.of(principal).requests_per_minute, 60u);
  principal.key = "";
  EXPECT_TRUE(quotas.of(principal).none()) << "nobody was told by a key";
  EXPECT_EQ(Quotas({60, 0, 0}, {}, true).of(principal).requests_per_minute, 60u);
  EXPECT_TRUE(Quotas({}, {plain}, false).none());
  EXPECT_FALSE(Quotas({}, {own}, false).none());
}

TEST(Quotas, estimates_prompts_by_their_bytes_and_answers_by_their_bound) {
  Request request;
  GenerationInput input;
  Conversation conversation;
  conversation.messages.push_back({Role::kUser, "12345678", "", {}, "", ""});
  conversation.messages.push_back({Role::kUser, "9", "", {}, "", ""});
  input.prompt = conversation;
  input.tokens_max = 10;
  input.sequences = 2;
  input.best_of = 3;
  request.input = input;
  EXPECT_EQ(estimate(request, {}).tokens_in, 3u);
  EXPECT_EQ(estimate(request, {}).tokens_out, 30u);
  request.input = EmbeddingInput{{"1234", "5"}, {{1, 2, 3}}, true};
  EXPECT_EQ(estimate(request, {}).tokens_in, 5u);
  request.input = RerankInput{"12345", {"1234", "5"}, true};
  EXPECT_EQ(estimate(request, {}).tokens_in, 6u);
  request.input = InferInput{};
  EXPECT_EQ(estimate(request, {}).tokens_in + estimate(request, {}).tokens_out, 0u);
}

// Keeps what is submitted until the test answers it.
class Patient final : public Servable {
 public:
  void submit(std::shared_ptr<const Request>, std::shared_ptr<ResponseStream> stream) override {
    inside.push_back(std::move(stream));
  }
  std::vector<std::shared_ptr<ResponseStream>> inside;
};

class LateLimiter final : public Limiter {
 public:
  std::optional<QuotaAnswer> take(const QuotaAsk&, std::function<void(const QuotaAnswer&)> later)
      override {
    answers.push_back(std::move(later));
    return std::nullopt;
  }
  void settle(const QuotaAsk&, std::uint64_t, std::uint64_t used) override { settled = used; }
  QuotaState state(std::string_view, const QuotaLimits&) const override { return {}; }

  std::vector<std::function<void(const QuotaAnswer&)>> answers;
  std::optional<std::uint64_t> settled;
};

class QuotaTest : public ::testing::Test {
 protected:
  QuotaTest() {
    auto version = std::make_shared<registry::ServingVersion>();
    version->identity = {"chat", "1"};
    version->servable = &servable_;
    handle_ = std::move(version);
  }

  Router router(Limiter& limiter) {
    StageContext context{
        .clock = clock_,
        .draining = draining_,
        .resolver = [this](const ModelReference& model) -> Result<registry::Handle> {
          if (model.name == "chat") return handle_;
          return not_found("no such model");
        },
        .fall_back = {}
    };
    context.quota = {&limiter, &quotas_, [this](std::string_view principal, QuotaKind kind) {
                       refusals_.push_back(
                           std::string(principal) + " " + std::string(kind_name(kind))
                       );
                     }};
    Stages stages = default_stages(std::move(context));
    // What fits is another stage's business.
    std::erase_if(stages, [](const auto& stage) { return stage->name() == "fit"; });
    return Router(std::move(stages));
  }

  std::shared_ptr<const Request> request(std::string model = "chat") const {
    auto made = std::make_shared<Request>();
    made->model.name = std::move(model);
    GenerationInput input;
    input.prompt = Prompt{"12345678", {}, false};
    input.tokens_max = 18;
    made->input = std::move(input);
    return made;
  }

  std::uint64_t tokens_left() const { return limiter_.state("", limits_).tokens->remaining; }

  VirtualClock clock_;
  std::atomic<bool> draining_{false};
  Patient servable_;
  registry::Handle handle_;
  const QuotaLimits limits_{0, 100, 1};
  const Quotas quotas_{limits_, {}, true};
  LocalLimiter limiter_{clock_, 16};
  std::vector<std::string> refusals_;
};

TEST_F(QuotaTest, reserves_at_the_door_and_settles_at_the_end) {
  const Router router = this->router(limiter_);
  const auto stream = std::make_shared<ResponseStream>(4);
  router.route(request(), stream);
  ASSERT_EQ(servable_.inside.size(), 1u);
  EXPECT_EQ(tokens_left(), 80u);
  GenerationOutput output;
  output.text = "a";
  EXPECT_TRUE(servable_.inside[0]->write(output));
  EXPECT_TRUE(stream->read());
  Timings timings;
  timings.input_tokens = 3;
  timings.output_tokens = 4;
  servable_.inside[0]->finish(Status(), timings);
  ASSERT_TRUE(stream->finished());
  EXPECT_EQ(tokens_left(), 93u);
  EXPECT_EQ(limiter_.running(""), 0u);
  EXPECT_EQ(stream->served_by().name, "chat");
  EXPECT_EQ(stream->timings().output_tokens, 4u);
}

TEST_F(QuotaTest, what_never_ran_costs_no_tokens) {
  const Router router = this->router(limiter_);
  const auto stream = std::make_shared<ResponseStream>();
  router.route(request("nobody"), stream);
  ASSERT_TRUE(stream->finished());
  EXPECT_EQ(stream->status().code(), Code::kNotFound);
  EXPECT_EQ(tokens_left(), 100u);
  EXPECT_EQ(limiter_.running(""), 0u);
}

TEST_F(QuotaTest, a_refusal_says_which_limit_and_when_to_come_back) {
  const Router router = this->router(limiter_);
  router.route(request(), std::make_shared<ResponseStream>());
  const auto second = std::make_shared<ResponseStream>();
  router.route(request(), second);
  ASSERT_TRUE(second->finished());
  EXPECT_EQ(second->status().code(), Code::kResourceExhausted);
  EXPECT_EQ(second->status().reason(), kConcurrencyReason);
  EXPECT_TRUE(second->status().retry_after());
  EXPECT_EQ(servable_.inside.size(), 1u);
  ASSERT_EQ(refusals_.size(), 1u);
  EXPECT_EQ(refusals_[0], " concurrent_requests");
  servable_.inside[0]->finish(cancelled("over"));
}

TEST_F(QuotaTest, a_client_that_left_cancels_what_it_asked) {
  const Router router = this->router(limiter_);
  const auto stream = std::make_shared<ResponseStream>();
  router.route(request(), stream);
  EXPECT_FALSE(servable_.inside[0]->cancelled());
  stream->cancel();
  EXPECT_TRUE(servable_.inside[0]->cancelled());
  servable_.inside[0]->finish(cancelled("left"));
  EXPECT_EQ(limiter_.running(""), 0u);
}

TEST_F(QuotaTest, a_limiter_may_answer_later) {
  LateLimiter late;
  const Router router = this->router(late);
  const auto first = std::make_shared<ResponseStream>();
  const auto second = std::make_shared<ResponseStream>();
  router.route(request(), first);
  router.route(request(), second);
  EXPECT_TRUE(servable_.inside.empty());
  ASSERT_EQ(late.answers.size(), 2u);
  late.answers[1](QuotaAnswer{QuotaRefusal{QuotaKind::kTokens, 5, 5, 1, seconds(2)}, 0});
  ASSERT_TRUE(second->finished());
  EXPECT_EQ(second->status().retry_after(), milliseconds(2'000));
  late.answers[0](QuotaAnswer{std::nullopt, 9});
  ASSERT_EQ(servable_.inside.size(), 1u);
  Timings timings;
  timings.output_tokens = 2;
  servable_.inside[0]->finish(Status(), timings);
  EXPECT_EQ(late.settled, 2u);
  EXPECT_TRUE(first->finished());
}

TEST(MeteredStream, a_reader_that_is_slow_makes_the_writer_wait) {
  auto outer = std::make_shared<ResponseStream>(1);
  std::vector<std::uint64_t> ends;
  auto inner =
      metered_stream(outer, [&ends](const Timings& t) { ends.push_back(t.output_tokens); });
  int room = 0;
  inner->on_room([&room] { ++room; });
  const auto part = [](std::string text) {
    GenerationOutput out;
    out.text = std::move(text);
    return out;
  };
  EXPECT_TRUE(inner->write(part("a")));  // lies in the outer stream
  EXPECT_TRUE(inner->write(part("b")));  // is carried
  EXPECT_TRUE(inner->write(part("c")));  // lies in the inner stream
  EXPECT_FALSE(inner->write(part("d")));
  EXPECT_EQ(room, 0);
  std::string seen;
  seen += std::get<GenerationOutput>(*outer->read()).text;
  EXPECT_EQ(room, 1);
  EXPECT_TRUE(inner->write(part("d")));
  Timings timings;
  timings.output_tokens = 4;
  inner->finish(Status(), timings);
  EXPECT_TRUE(ends.empty()) << "parts are on their way";
  while (auto next = outer->read()) seen += std::get<GenerationOutput>(*next).text;
  EXPECT_EQ(seen, "abcd");
  EXPECT_TRUE(outer->finished());
  ASSERT_EQ(ends.size(), 1u);
  EXPECT_EQ(ends[0], 4u);
}

TEST(MeteredStream, the_last_part_and_the_end_come_together) {
  auto outer = std::make_shared<ResponseStream>(1);
  auto inner = metered_stream(outer, [](const Timings&) {});
  int woken = 0;
  outer->on_ready([&woken] { ++woken; });
  inner->finish(InferOutput{}, Timings{});
  EXPECT_EQ(woken, 1);
  EXPECT_TRUE(outer->read());
  EXPECT_TRUE(outer->finished());
}

TEST(MeteredStream, an_error_follows_the_parts_before_it) {
  auto outer = std::make_shared<ResponseStream>(1);
  int ends = 0;
  auto inner = metered_stream(outer, [&ends](const Timings&) { ++ends; });
  EXPECT_TRUE(inner->write(InferOutput{}));
  EXPECT_TRUE(inner->write(InferOutput{}));
  inner->finish(unavailable("gone"));
  EXPECT_TRUE(outer->read());
  EXPECT_FALSE(outer->finished());
  EXPECT_TRUE(outer->read());
  ASSERT_TRUE(outer->finished());
  EXPECT_EQ(outer->status().code(), Code::kUnavailable);
  EXPECT_EQ(ends, 1);
}

}  // namespace
}  // namespace cortex::router
