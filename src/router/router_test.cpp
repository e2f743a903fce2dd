// SPDX-License-Identifier: Apache-2.0
#include "router/router.h"

#include <array>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "request/adapter_choice.h"
#include "router/default_stages.h"

namespace cortex::router {
namespace {

// Answers every request at once with its own inputs.
class Echo final : public Servable {
 public:
  void submit(std::shared_ptr<const Request> request, std::shared_ptr<ResponseStream> stream)
      override {
    ++submitted;
    stream->finish(InferOutput{std::get<InferInput>(request->input).inputs, {}}, Timings{});
  }
  int submitted = 0;
};

class RouterTest : public ::testing::Test {
 protected:
  RouterTest() {
    auto version = std::make_shared<registry::ServingVersion>();
    version->identity = {"echo", "3"};
    version->config.name = "echo";
    version->signature.inputs = {{"IN", DataType::kFp32, {-1, 2}, false}};
    version->signature.outputs = {{"OUT", DataType::kFp32, {-1, 2}, false}};
    version->servable = &echo_;
    handle_ = std::move(version);
  }

  StageContext context() {
    return {
        .clock = clock_,
        .draining = draining_,
        .resolver = [this](const ModelReference& model) { return find(model); },
        .fall_back = {}
    };
  }

  Router make_router() {
    StageContext made = context();
    if (fall_back_) {
      made.fall_back.previous = [this](const ModelReference&, const std::string& failed) {
        tried_.push_back("after " + failed);
        return previous_ ? Result<registry::Handle>(previous_) : not_found("no other version");
      };
      made.fall_back.on_fall_back = [this](const ModelIdentity& from, const ModelIdentity& to) {
        tried_.push_back(from.version + " to " + to.version);
      };
    }
    return Router(default_stages(std::move(made)));
  }

  Result<registry::Handle> find(const ModelReference& model) const {
    if (model.name == "echo") return handle_;
    return not_found("Request for unknown model: '" + model.name + "' is not found");
  }

  std::shared_ptr<Request> request(std::string model) const {
    auto made = std::make_shared<Request>();
    made->model.name = std::move(model);
    const std::array<float, 2> values = {1, 2};
    made->input = InferInput{{tensor_of("IN", {1, 2}, std::span<const float>(values))}, {}};
    return made;
  }

  // A version of the same shape over another servable.
  registry::Handle version(std::string number, Servable& servable) const {
    auto made = std::make_shared<registry::ServingVersion>(*handle_);
    made->identity.version = std::move(number);
    made->servable = &servable;
    return made;
  }

  std::shared_ptr<ResponseStream> answer(std::shared_ptr<Request> asked) {
    auto stream = std::make_shared<ResponseStream>();
    make_router().route(std::move(asked), stream);
    while (stream->read()) {
    }
    return stream;
  }

  VirtualClock clock_;
  std::atomic<bool> draining_{false};
  Echo echo_;
  registry::Handle handle_;
  bool fall_back_ = false;
  registry::Handle previous_;
  std::vector<std::string> tried_;
};

// Fails every request.
class Broken final : public Servable {
 public:
  explicit Broken(Status why) : why_(std::move(why)) {}
  void submit(std::shared_ptr<const Request>, std::shared_ptr<ResponseStream> stream) override {
    ++submitted;
    stream->finish(why_);
  }
  int submitted = 0;

 private:
  const Status why_;
};

TEST_F(RouterTest, leads_a_request_to_its_servable_and_names_the_version) {
  const auto stream = answer(request("echo"));
  ASSERT_TRUE(stream->finished());
  EXPECT_TRUE(stream->status().ok());
  EXPECT_EQ(stream->served_by().version, "3");
  EXPECT_EQ(echo_.submitted, 1);
}

TEST_F(RouterTest, keeps_the_lease_as_long_as_the_stream) {
  auto stream = answer(request("echo"));
  EXPECT_EQ(handle_.use_count(), 2);
  stream.reset();
  EXPECT_EQ(handle_.use_count(), 1);
}

TEST_F(RouterTest, refuses_an_unknown_model) {
  const auto stream = answer(request("other"));
  ASSERT_TRUE(stream->finished());
  EXPECT_EQ(stream->status().code(), Code::kNotFound);
}

TEST_F(RouterTest, refuses_everything_while_draining) {
  draining_ = true;
  const auto stream = answer(request("echo"));
  EXPECT_EQ(stream->status().code(), Code::kUnavailable);
  EXPECT_TRUE(stream->status().retry_after().has_value());
  EXPECT_EQ(echo_.submitted, 0);
}

TEST_F(RouterTest, refuses_a_request_that_is_late_already) {
  auto late = request("echo");
  late->deadline = clock_.now();
  EXPECT_EQ(answer(late)->status().code(), Code::kDeadlineExceeded);
}

TEST_F(RouterTest, refuses_text_for_a_model_without_a_tokenizer) {
  auto text = request("echo");
  text->input = EmbeddingInput{{"hello"}, {}, true};
  EXPECT_EQ(answer(text)->status().code(), Code::kInvalidArgument);
  auto rank = request("echo");
  rank->input = RerankInput{"hello", {"you"}, true};
  EXPECT_EQ(answer(rank)->status().code(), Code::kInvalidArgument);
  EXPECT_EQ(echo_.submitted, 0);
}

TEST_F(RouterTest, refuses_to_count_tokens_of_a_model_that_takes_no_text) {
  auto tokenize = request("echo");
  tokenize->input = TokenizeInput{Prompt{"hello", {}, false}};
  EXPECT_EQ(answer(tokenize)->status().code(), Code::kInvalidArgument);
  auto detokenize = request("echo");
  detokenize->input = DetokenizeInput{{1}};
  EXPECT_EQ(answer(detokenize)->status().code(), Code::kInvalidArgument);
  EXPECT_EQ(echo_.submitted, 0);
}

TEST_F(RouterTest, refuses_tensors_that_do_not_fit) {
  auto wrong = request("echo");
  std::get<InferInput>(wrong->input).inputs[0].name = "OTHER";
  EXPECT_EQ(answer(wrong)->status().code(), Code::kInvalidArgument);
  EXPECT_EQ(echo_.submitted, 0);
}

TEST_F(RouterTest, tries_the_previous_version_once_when_a_run_fails) {
  for (const Status& why : {internal("the engine failed"), unavailable("the lane ended")}) {
    Broken broken(why);
    Echo older;
    handle_ = version("4", broken);
    previous_ = version("3", older);
    fall_back_ = true;
    tried_.clear();
    const auto stream = answer(request("echo"));
    ASSERT_TRUE(stream->finished());
    EXPECT_TRUE(stream->status().ok());
    EXPECT_EQ(stream->served_by().version, "3");
    EXPECT_EQ(older.submitted, 1);
    EXPECT_EQ(tried_, (std::vector<std::string>{"after 4", "4 to 3"}));
  }
}

TEST_F(RouterTest, gives_up_when_the_previous_version_fails_too) {
  Broken broken(internal("one"));
  Broken older(unavailable("two"));
  handle_ = version("4", broken);
  previous_ = version("3", older);
  fall_back_ = true;
  const auto stream = answer(request("echo"));
  ASSERT_TRUE(stream->finished());
  EXPECT_EQ(stream->status().text(), "two");
  EXPECT_EQ(broken.submitted, 1);
  EXPECT_EQ(older.submitted, 1);
}

TEST_F(RouterTest, keeps_the_error_where_another_attempt_makes_no_sense) {
  Broken broken(internal("one"));
  Echo older;
  handle_ = version("4", broken);
  fall_back_ = true;
  EXPECT_EQ(answer(request("echo"))->status().code(), Code::kInternal);  // there is no other
  previous_ = version("3", older);
  auto exact = request("echo");
  exact->model.version = "4";
  EXPECT_EQ(answer(exact)->status().code(), Code::kInternal);
  fall_back_ = false;
  EXPECT_EQ(answer(request("echo"))->status().code(), Code::kInternal);
  fall_back_ = true;
  auto other_shape = std::make_shared<registry::ServingVersion>(*previous_);
  other_shape->signature.inputs[0].name = "ELSE";
  previous_ = other_shape;
  EXPECT_EQ(answer(request("echo"))->status().code(), Code::kInternal);
  Broken full(resource_exhausted("queue"));
  handle_ = version("4", full);
  previous_ = version("3", older);
  EXPECT_EQ(answer(request("echo"))->status().code(), Code::kResourceExhausted);
  EXPECT_EQ(older.submitted, 0);
}

TEST_F(RouterTest, frees_a_request_that_could_have_been_tried_again) {
  Echo older;
  previous_ = version("3", older);
  fall_back_ = true;
  auto asked = request("echo");
  const std::weak_ptr<Request> watched = asked;
  EXPECT_TRUE(answer(std::move(asked))->status().ok());
  EXPECT_TRUE(watched.expired());
}

// Suspends the first passage it sees until resume_held().
class Hold final : public Stage {
 public:
  explicit Hold(std::shared_ptr<Passage>& held) : held_(held) {}
  [[nodiscard]] std::string_view name() const override { return "hold"; }
  [[nodiscard]] Verdict enter(const std::shared_ptr<Passage>& passage) const override {
    held_ = passage;
    return Verdict::kSuspend;
  }

 private:
  std::shared_ptr<Passage>& held_;
};

TEST_F(RouterTest, goes_on_where_a_stage_suspended) {
  std::shared_ptr<Passage> held;
  Stages stages = default_stages(context());
  stages.insert(stages.begin() + 1, std::make_unique<Hold>(held));
  const Router router(std::move(stages));
  auto stream = std::make_shared<ResponseStream>();
  router.route(request("echo"), stream);
  EXPECT_EQ(echo_.submitted, 0);
  ASSERT_NE(held, nullptr);
  held->resume();
  EXPECT_EQ(echo_.submitted, 1);
}

// Takes any request, and keeps what it was.
class Witness final : public Servable {
 public:
  void submit(std::shared_ptr<const Request> request, std::shared_ptr<ResponseStream> stream)
      override {
    seen.push_back(request);
    stream->finish(unavailable("a witness answers nothing"));
  }
  std::vector<std::shared_ptr<const Request>> seen;
};

// A language model under the name "echo", whose adapters wait to be lent.
class AdapterRouteTest : public RouterTest {
 protected:
  using Lend = std::function<void(Result<registry::AdapterLease>)>;

  AdapterRouteTest() {
    auto model = std::make_shared<registry::ServingVersion>(*handle_);
    model->signature.generates = true;
    model->servable = &witness_;
    handle_ = std::move(model);
  }

  std::shared_ptr<ResponseStream> generate(const std::string& model) {
    StageContext made = context();
    made.resolver = [this](const ModelReference&) { return Result<registry::Handle>(handle_); };
    made.fall_back.previous = [this](const ModelReference&, const std::string&) {
      ++tries_;
      return Result<registry::Handle>(not_found("no other version"));
    };
    made.adapters =
        [this](const ModelReference& asked, const registry::Handle&, TimePoint, Lend done) {
          asked_.push_back(asked.to_string());
          done_ = std::move(done);
        };
    router_ = std::make_unique<Router>(default_stages(std::move(made)));
    auto asked = std::make_shared<Request>();
    asked->model = *ModelReference::parse(model);
    asked->parameters = {{"adapter_scale", 50.0}};
    asked->input = GenerationInput{};
    auto stream = std::make_shared<ResponseStream>();
    router_->route(std::move(asked), stream);
    return stream;
  }

  Witness witness_;
  std::vector<std::string> asked_;
  Lend done_;
  int tries_ = 0;
  std::unique_ptr<Router> router_;
};

TEST_F(AdapterRouteTest, a_request_waits_for_its_adapter_and_goes_on_under_its_identity) {
  const auto held = std::make_shared<int>(1);
  auto stream = generate("echo+poet");
  EXPECT_EQ(asked_, (std::vector<std::string>{"echo+poet"}));
  EXPECT_TRUE(witness_.seen.empty());
  done_(registry::AdapterLease{"poet@d1", 0.5f, held});
  ASSERT_EQ(witness_.seen.size(), 1u);
  EXPECT_EQ(witness_.seen[0]->model.name, "echo");
  EXPECT_EQ(witness_.seen[0]->model.adapter, "poet@d1");
  EXPECT_EQ(adapter_scale(witness_.seen[0]->parameters), 0.5f);
  EXPECT_TRUE(stream->finished());
  EXPECT_EQ(tries_, 0) << "an adapter of one version is nothing to another";
  done_ = nullptr;
  EXPECT_EQ(held.use_count(), 2) << "the stream keeps what was lent";
  stream.reset();
  EXPECT_EQ(held.use_count(), 1);
}

TEST_F(AdapterRouteTest, an_adapter_may_be_named_in_the_place_of_the_model) {
  const auto stream = generate("poet");
  EXPECT_EQ(asked_, (std::vector<std::string>{"poet"}));
  done_(not_found("model 'echo' has no adapter 'poet'"));
  EXPECT_EQ(stream->status().code(), Code::kNotFound);
  EXPECT_TRUE(witness_.seen.empty());
}

TEST_F(AdapterRouteTest, a_request_for_the_model_itself_asks_for_no_adapter) {
  const auto stream = generate("echo@3");
  EXPECT_TRUE(asked_.empty());
  EXPECT_EQ(witness_.seen.size(), 1u);
}

}  // namespace
}  // namespace cortex::router
