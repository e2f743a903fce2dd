// SPDX-License-Identifier: Apache-2.0
#include "frontend/codec/prefixes/prefix_codec.h"

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include <gtest/gtest.h>

#include "frontend/codec/prefixes/prefix_request.h"
#include "frontend/codec/testing/fake_exchange.h"

namespace cortex::frontend::prefixes {
namespace {

using testing::body_of;
using testing::FakeExchange;

constexpr std::string_view kAll = "/api/v1/prefixes/{model}";
constexpr std::string_view kOne = "/api/v1/prefixes/{model}/{prefix}";

// Keeps what it was told, and holds half of it.
class NotedModel final : public Servable, public LanguageControls {
 public:
  void submit(std::shared_ptr<const Request>, std::shared_ptr<ResponseStream> stream) override {
    stream->finish(unimplemented("it answers nothing"));
  }
  LanguageControls* language() override { return speaks ? this : nullptr; }

  Result<std::size_t> load_adapter(const std::string&, const std::filesystem::path&) override {
    return unimplemented("no adapters");
  }
  bool unload_adapter(const std::string&) override { return false; }
  Status create_prefix(const PrefixRequest& prefix) override {
    if (!refuses.ok()) return refuses;
    for (const PrefixRequest& known : noted) {
      if (known.name == prefix.name) return already_exists("there is a prefix " + prefix.name);
    }
    noted.push_back(prefix);
    return {};
  }
  bool remove_prefix(const std::string& name) override {
    return std::erase_if(noted, [&](const auto& known) { return known.name == name; }) > 0;
  }
  std::vector<PrefixState> prefixes() const override {
    std::vector<PrefixState> out;
    for (const PrefixRequest& known : noted) {
      out.push_back({known.name, known.tenant, known.adapter, 10, 5, true});
    }
    return out;
  }

  bool speaks = true;
  Status refuses;
  std::vector<PrefixRequest> noted;
};

class PrefixCodecTest : public ::testing::Test {
 protected:
  PrefixCodecTest() { start(); }

  // Anew, once the pool has done all that it took.
  void start() {
    cpu_ = std::make_unique<ThreadPool>("cpu", 1, 8);
    ModelCatalog catalog;
    catalog.find = [this](const ModelReference& reference) -> Result<registry::Handle> {
      if (reference.name != "chat") return not_found("no model '" + reference.name + "'");
      auto version = std::make_shared<registry::ServingVersion>();
      version->servable = &model_;
      return registry::Handle(version);
    };
    catalog.lend = lend_;
    codec_ = std::make_unique<PrefixCodec>(std::move(catalog), *cpu_);
    api_ = codec_->make_api();
  }

  std::shared_ptr<FakeExchange> call(
      Method method, std::vector<std::string> path, std::string_view body = ""
  ) {
    HttpRequest request;
    request.principal = principal_;
    request.body = body_of(body);
    const std::string_view pattern = path.size() == 1 ? kAll : kOne;
    request.path_values = std::move(path);
    return testing::call(api_, method, pattern, std::move(request));
  }
  // And what the pool makes of it.
  std::shared_ptr<FakeExchange> create(std::string_view body) {
    auto exchange = call(Method::kPost, {"chat"}, body);
    start();
    return exchange;
  }
  std::string refusal(std::string_view body) {
    const Status status = call(Method::kPost, {"chat"}, body)->failure();
    return status.ok() ? "" : std::string(status.text());
  }

  NotedModel model_;
  Principal principal_;
  decltype(ModelCatalog::lend) lend_;
  std::unique_ptr<ThreadPool> cpu_;
  std::unique_ptr<PrefixCodec> codec_;
  Api api_;
};

TEST_F(PrefixCodecTest, a_conversation_gets_a_name) {
  principal_.tenant = "acme";
  principal_.workspace = "lab";
  const auto exchange =
      create(R"({"name":"pirate","adapter":"a","adapter_scale":0.5,"cache_salt":"s",)"
             R"("messages":[{"role":"system","content":"Arr."}]})");
  EXPECT_EQ(exchange->sent().status, 201);
  EXPECT_EQ(
      exchange->sent().body, R"({"name":"pirate","adapter":"a","tokens":10,"held":5,"stored":true})"
  );
  ASSERT_EQ(model_.noted.size(), 1U);
  const PrefixRequest& noted = model_.noted[0];
  EXPECT_EQ(noted.tenant, "acme");
  EXPECT_EQ(noted.workspace, "lab");
  EXPECT_EQ(noted.adapter, "a");
  EXPECT_FLOAT_EQ(noted.adapter_scale, 0.5F);
  EXPECT_EQ(noted.cache_salt, "s");
  EXPECT_EQ(std::get<Conversation>(noted.prompt).messages.at(0).content, "Arr.");
}

TEST_F(PrefixCodecTest, an_adapter_is_borrowed_until_its_prefix_has_a_name) {
  const auto held = std::make_shared<int>(1);
  std::string asked;
  lend_ = [&](const ModelReference& reference, const registry::Handle&, TimePoint, auto done) {
    asked = reference.adapter;
    done(registry::AdapterLease{"poet@d1", 0.5F, held});
  };
  start();
  const auto exchange = create(R"({"name":"p","adapter":"poet","prompt":"Once"})");
  EXPECT_EQ(asked, "poet");
  EXPECT_EQ(model_.noted.at(0).adapter, "poet@d1");
  EXPECT_FLOAT_EQ(model_.noted.at(0).adapter_scale, 0.5F);
  EXPECT_EQ(
      exchange->sent().body, R"({"name":"p","adapter":"poet","tokens":10,"held":5,"stored":true})"
  );
  EXPECT_EQ(held.use_count(), 1) << "what was borrowed is given back";
  lend_ = [](const ModelReference&, const registry::Handle&, TimePoint, auto done) {
    done(not_found("model 'chat' has no adapter 'nobody'"));
  };
  start();
  EXPECT_EQ(
      refusal(R"({"name":"q","adapter":"nobody","prompt":"x"})"),
      "model 'chat' has no adapter 'nobody'"
  );
}

TEST_F(PrefixCodecTest, a_text_gets_a_name) {
  EXPECT_EQ(create(R"({"name":"p","prompt":"Once"})")->sent().status, 201);
  EXPECT_EQ(std::get<Prompt>(model_.noted.at(0).prompt).text, "Once");
}

TEST_F(PrefixCodecTest, a_name_is_taken_once) {
  EXPECT_EQ(create(R"({"name":"p","prompt":"x"})")->sent().status, 201);
  const Status second = create(R"({"name":"p","prompt":"y"})")->failure();
  EXPECT_EQ(second.code(), Code::kAlreadyExists);
  EXPECT_EQ(second.text(), "the model has a prefix 'p' already");
  principal_.tenant = "other";
  EXPECT_EQ(create(R"({"name":"p","prompt":"y"})")->sent().status, 201);
}

TEST_F(PrefixCodecTest, a_tenant_sees_its_own_alone) {
  create(R"({"name":"p","prompt":"x"})");
  for (const std::string tenant : {"other", "@7:default", ""}) {
    principal_.tenant = tenant;
    EXPECT_EQ(call(Method::kGet, {"chat"})->sent().body, R"({"prefixes":[]})");
    EXPECT_EQ(call(Method::kGet, {"chat", "p"})->failure().code(), Code::kNotFound);
    EXPECT_EQ(call(Method::kDelete, {"chat", "p"})->failure().code(), Code::kNotFound);
  }
  principal_.tenant = "default";
  const std::string shown = R"({"name":"p","tokens":10,"held":5,"stored":true})";
  EXPECT_EQ(call(Method::kGet, {"chat"})->sent().body, R"({"prefixes":[)" + shown + "]}");
  EXPECT_EQ(call(Method::kGet, {"chat", "p"})->sent().body, shown);
  EXPECT_EQ(call(Method::kDelete, {"chat", "p"})->sent().status, 204);
  EXPECT_TRUE(model_.noted.empty());
}

TEST_F(PrefixCodecTest, what_is_wrong_is_named) {
  EXPECT_EQ(refusal("{}"), "missing required parameter: 'name'");
  EXPECT_EQ(
      refusal(R"({"name":"a b","prompt":"x"})"),
      "'name' must be 1 to 64 letters, digits, '-', '_' or '.'"
  );
  EXPECT_EQ(
      refusal(R"({"name":"a@b","prompt":"x"})"),
      "'name' must be 1 to 64 letters, digits, '-', '_' or '.'"
  );
  EXPECT_EQ(refusal(R"({"name":"a"})"), "either 'messages' or 'prompt' is needed");
  EXPECT_EQ(refusal(R"({"name":"a","prompt":""})"), "'prompt' must be a text that is not empty");
  EXPECT_EQ(
      refusal(R"({"name":"a","prompt":"x","messages":[{"role":"user","content":"y"}]})"),
      "either 'messages' or 'prompt' is needed"
  );
  EXPECT_EQ(
      refusal(R"({"name":"a","prompt":"x","temperature":1})"), "Unknown parameter: 'temperature'."
  );
  EXPECT_EQ(
      refusal(R"({"name":"a","prompt":"x","adapter_scale":1000})"),
      "'adapter_scale' must be between -100 and 100"
  );
  EXPECT_NE(refusal(R"({"name":"a","messages":[]})"), "");
  EXPECT_NE(refusal("[]"), "");
  EXPECT_NE(refusal(R"({"name":"a","prompt":"x"}})"), "");
}

TEST_F(PrefixCodecTest, models_that_cannot_are_refused) {
  EXPECT_EQ(call(Method::kGet, {"none"})->failure().code(), Code::kNotFound);
  model_.speaks = false;
  EXPECT_EQ(call(Method::kGet, {"chat"})->failure().code(), Code::kInvalidArgument);
  EXPECT_EQ(
      call(Method::kPost, {"chat"}, R"({"name":"a","prompt":"x"})")->failure().code(),
      Code::kInvalidArgument
  );
}

TEST_F(PrefixCodecTest, what_the_model_says_is_told) {
  model_.refuses = resource_exhausted("no room for names");
  const auto exchange = create(R"({"name":"a","prompt":"x"})");
  EXPECT_EQ(exchange->failure().text(), "no room for names");
}

}  // namespace
}  // namespace cortex::frontend::prefixes
