// SPDX-License-Identifier: Apache-2.0
#include "frontend/codec/adapters/adapter_codec.h"

#include <memory>
#include <set>
#include <string>
#include <vector>

#include <boost/json.hpp>
#include <gtest/gtest.h>

#include "frontend/codec/adapters/schemas.h"
#include "frontend/codec/testing/fake_exchange.h"
#include "registry/adapters/testing/fake_language.h"
#include "registry/fake_loader.h"
#include "registry/test_folder.h"

namespace cortex::frontend::adapters {
namespace {

namespace json = boost::json;
using testing::FakeExchange;

// An exchange that is answered on the shelf's thread.
class WatchedExchange final : public Exchange {
 public:
  WatchedExchange(HttpRequest request, registry::StateWatch& watch)
      : inner_(std::move(request)), watch_(watch) {}

  [[nodiscard]] const HttpRequest& request() const override { return inner_.request(); }
  [[nodiscard]] RequestRecord& record() override { return inner_.record(); }
  void post(std::function<void()> work) override { work(); }
  void reply(HttpReply reply) override {
    inner_.reply(std::move(reply));
    done_ = true;
    watch_.notify();
  }
  void fail(const Status& status) override {
    inner_.fail(status);
    done_ = true;
    watch_.notify();
  }
  void begin_stream(HttpReply) override {}
  bool write(std::string) override { return false; }
  void on_writable(std::function<void()>) override {}
  void end_stream() override {}
  void on_disconnect(std::function<void()>) override {}

  const HttpReply& answer() {
    CHECK(watch_.wait([this] { return done_.load(); }), "it is answered");
    return inner_.sent();
  }

 private:
  FakeExchange inner_;
  registry::StateWatch& watch_;
  std::atomic<bool> done_{false};
};

// The language model "base" and the table model "table"; adapters in files.
class AdapterCodecTest : public ::testing::Test {
 protected:
  AdapterCodecTest() {
    folder_.write("poet.gguf", "verses");
    folder_.write("clerk.gguf", "letters");
    folder_.write("broken.gguf", "broken");
    models_.serve("base", "1", language_);
    registry::AdapterShelfOptions options;
    options.folder = folder_.path();
    options.limits.adapters_max = 2;
    options.training_methods = {"", "sft"};
    const auto acquire = [this](const ModelReference& model) { return models_.acquire(model); };
    shelf_ = std::make_unique<registry::AdapterShelf>(options, acquire, nullptr, steady_clock());
    CHECK(shelf_->start().ok(), "a shelf without a store starts");
    ModelCatalog catalog;
    catalog.find = acquire;
    catalog.ready_models = [this] { return ready_; };
    codec_ = std::make_unique<AdapterCodec>(std::move(catalog), *shelf_);
    apis_ = codec_->make_apis();
  }

  struct Answer {
    int status = 0;
    std::string text;
    json::value body;
  };
  // `path` is a route with its name in the place of {name}.
  Answer call(Method method, std::string pattern, const std::string& body, std::string name = "") {
    HttpRequest request;
    request.method = method;
    request.id = "r1";
    const auto cut = pattern.find('?');
    if (cut != std::string::npos) {
      request.query = pattern.substr(cut + 1);
      pattern.resize(cut);
    }
    if (!name.empty()) request.path_values = {name};
    request.body = testing::body_of(body);
    const bool vllm = pattern.starts_with("/v1/");
    auto exchange = std::make_shared<WatchedExchange>(std::move(request), watch_);
    testing::route_of(apis_[vllm ? 1 : 0], method, pattern).handler(exchange);
    const HttpReply& reply = exchange->answer();
    Answer out{reply.status, reply.body, {}};
    if (reply.content_type == "application/json") out.body = json::parse(reply.body);
    return out;
  }
  Answer lora(Method method, const std::string& call_name, const std::string& body = "") {
    return call(method, "/api/v1/lora/" + call_name, body);
  }
  Answer lora_on(Method method, const std::string& call_name, const std::string& name) {
    return call(method, "/api/v1/lora/" + call_name + "/{name}", "", name);
  }
  Answer enroll(const std::string& name) {
    return lora(
        Method::kPost,
        "register",
        R"({"name":")" + name + R"(","base_model":"base","path":")" + name + R"(.gguf"})"
    );
  }

  registry::TestFolder folder_;
  registry::FakeLanguage language_;
  registry::FakeModels models_;
  registry::StateWatch watch_;
  std::vector<std::string> ready_ = {"base"};
  std::unique_ptr<registry::AdapterShelf> shelf_;
  std::unique_ptr<AdapterCodec> codec_;
  std::vector<Api> apis_;
};

TEST_F(AdapterCodecTest, registers_loads_lists_and_unloads) {
  const Answer made = lora(
      Method::kPost,
      "register",
      R"({"name":"poet","base_model":"base","path":"poet.gguf","rank":8,"alpha":16,"scale":0.5,
          "training_method":"sft","tags":{"run":"r7"},"description":"Verses."})"
  );
  ASSERT_EQ(made.status, 200) << made.text;
  EXPECT_EQ(made.body.at("status"), "registered");
  EXPECT_EQ(made.body.at("loaded"), false);
  EXPECT_EQ(made.body.at("loaded_at"), nullptr);
  EXPECT_EQ(made.body.at("rank"), 8);
  EXPECT_EQ(made.body.at("tags").at("run"), "r7");
  EXPECT_EQ(made.body.at("file_bytes"), 6);
  const Answer loaded = lora_on(Method::kPost, "load", "poet");
  EXPECT_EQ(loaded.body.at("status"), "loaded");
  EXPECT_EQ(loaded.body.at("memory_bytes"), 6);
  EXPECT_TRUE(loaded.body.at("loaded_at").is_string());
  EXPECT_EQ(lora_on(Method::kPost, "load", "poet").status, 200);
  EXPECT_EQ(enroll("clerk").status, 200);
  EXPECT_EQ(lora(Method::kGet, "list").body.at("adapters").as_array().size(), 2u);
  const Answer some = lora(Method::kGet, "list?loaded_only=true");
  ASSERT_EQ(some.body.at("adapters").as_array().size(), 1u);
  EXPECT_EQ(some.body.at("adapters").at(0).at("name"), "poet");
  const Answer memory = lora(Method::kGet, "memory");
  EXPECT_EQ(memory.body.at("loaded_adapters"), 1);
  EXPECT_EQ(memory.body.at("max_adapters"), 2);
  EXPECT_EQ(memory.body.at("available_slots"), 1);
  EXPECT_EQ(lora_on(Method::kDelete, "unload", "poet").body.at("loaded"), false);
  EXPECT_EQ(lora_on(Method::kDelete, "unload", "poet").status, 200);
  EXPECT_EQ(lora_on(Method::kGet, "status", "poet").body.at("status"), "registered");
  EXPECT_EQ(lora_on(Method::kDelete, "unregister", "poet").status, 200);
  EXPECT_EQ(lora_on(Method::kGet, "status", "poet").status, 404);
}

TEST_F(AdapterCodecTest, refuses_with_the_field_at_fault) {
  struct Case {
    std::string body;
    std::string field;
  };
  const std::vector<Case> cases = {
      {R"({"base_model":"base","path":"poet.gguf"})", "name"},
      {R"({"name":"p","path":"poet.gguf"})", "base_model"},
      {R"({"name":"p","base_model":"base"})", "path"},
      {R"({"name":"p","base_model":"base","path":"../../etc/passwd"})", "path"},
      {R"({"name":"p","base_model":"base","path":"/etc/passwd"})", "path"},
      {R"({"name":"p+q","base_model":"base","path":"poet.gguf"})", "name"},
      {R"({"name":"p","base_model":"base","path":"poet.gguf","scale":101})", "scale"},
      {R"({"name":"p","base_model":"base","path":"poet.gguf","rank":0})", "rank"},
      {R"({"name":"p","base_model":"base","path":"poet.gguf","pin":true})", "pin"},
      {R"({"name":"p","base_model":"base","path":"poet.gguf","tags":{"a":1}})", "tags"},
      {R"({"name":"p","base_model":"base","path":"poet.gguf","training_method":"x"})",
       "training_method"},
  };
  for (const auto& [body, field] : cases) {
    const Answer answer = lora(Method::kPost, "register", body);
    EXPECT_EQ(answer.status, 400) << body;
    const auto& error = answer.body.at("error");
    EXPECT_EQ(error.at("code"), "INVALID_ARGUMENT") << body;
    EXPECT_EQ(error.at("details").at("field").as_string(), field) << answer.text;
    EXPECT_EQ(error.at("request_id"), "r1");
  }
  EXPECT_EQ(lora(Method::kPost, "register", "{").status, 400);
  EXPECT_TRUE(shelf_->list().empty());
}

TEST_F(AdapterCodecTest, what_no_handler_sees_is_refused_with_the_id_of_the_request) {
  const std::string text = apis_[0].error_body(404, not_found("no such path"), "r7");
  EXPECT_EQ(json::parse(text).at("error").at("request_id"), "r7");
}

TEST_F(AdapterCodecTest, what_is_not_registered_is_404_also_in_a_swap) {
  ASSERT_EQ(enroll("poet").status, 200);
  ASSERT_EQ(lora_on(Method::kPost, "load", "poet").status, 200);
  EXPECT_EQ(lora_on(Method::kPost, "load", "nobody").status, 404);
  EXPECT_EQ(lora_on(Method::kDelete, "unload", "nobody").status, 404);
  const Answer swap = lora(Method::kPost, "hot-swap", R"({"old_name":"poet","new_name":"nobody"})");
  EXPECT_EQ(swap.status, 404);
  EXPECT_EQ(swap.body.at("error").at("code"), "NOT_FOUND");
  EXPECT_EQ(lora_on(Method::kGet, "status", "poet").body.at("loaded"), true);
}

TEST_F(AdapterCodecTest, a_swap_works_at_the_limit_and_a_full_house_is_429) {
  folder_.write("cook.gguf", "recipes");
  for (const char* name : {"poet", "clerk", "cook"}) {
    const std::string text = R"({"name":")" + std::string(name) +
                             R"(","base_model":"base","path":")" + name + R"(.gguf","pinned":)" +
                             (name[0] == 'c' && name[1] == 'o' ? "false" : "true") + "}";
    ASSERT_EQ(lora(Method::kPost, "register", text).status, 200) << name;
  }
  const Answer full = lora_on(Method::kPost, "load", "cook");
  EXPECT_EQ(full.status, 429);
  EXPECT_EQ(full.body.at("error").at("message"), "Maximum adapters (2) already loaded");
  EXPECT_EQ(full.body.at("error").at("code"), "RATE_LIMIT_EXCEEDED");
  const Answer swap = lora(Method::kPost, "hot-swap", R"({"old_name":"poet","new_name":"cook"})");
  EXPECT_EQ(swap.status, 200) << swap.text;
  EXPECT_EQ(swap.body.at("name"), "cook");
  EXPECT_EQ(lora_on(Method::kGet, "status", "poet").body.at("loaded"), false);
}

TEST_F(AdapterCodecTest, speaks_as_vllm_does) {
  const auto load = [&](const std::string& body) {
    return call(Method::kPost, "/v1/load_lora_adapter", body);
  };
  const Answer loaded = load(R"({"lora_name":"poet","lora_path":"poet.gguf","lora_int_id":3})");
  EXPECT_EQ(loaded.status, 200);
  EXPECT_EQ(loaded.text, "Success: LoRA adapter 'poet' added successfully.");
  EXPECT_EQ(language_.loaded(), 1u);
  const Answer again = load(R"({"lora_name":"poet","lora_path":"poet.gguf"})");
  EXPECT_EQ(again.status, 400);
  EXPECT_EQ(again.body.at("error").at("type"), "InvalidUserInput");
  EXPECT_EQ(again.body.at("error").at("code"), 400);
  folder_.write("poet2.gguf", "better");
  EXPECT_EQ(
      load(R"({"lora_name":"poet","lora_path":"poet2.gguf","load_inplace":true})").status, 200
  );
  EXPECT_EQ(
      load(R"({"lora_name":"x"})").body.at("error").at("message"),
      "Both 'lora_name' and 'lora_path' must be provided."
  );
  const Answer missing = load(R"({"lora_name":"x","lora_path":"missing"})");
  EXPECT_EQ(missing.status, 404);
  EXPECT_EQ(missing.body.at("error").at("type"), "NotFoundError");
  EXPECT_EQ(load(R"({"lora_name":"x","lora_path":"broken.gguf"})").status, 400);
  EXPECT_FALSE(shelf_->find("x").has_value());
  const auto unload = [&] {
    return call(Method::kPost, "/v1/unload_lora_adapter", R"({"lora_name":"poet"})");
  };
  EXPECT_EQ(unload().text, "Success: LoRA adapter 'poet' removed successfully.");
  const Answer gone = unload();
  EXPECT_EQ(gone.status, 404);
  EXPECT_EQ(gone.body.at("error").at("message"), "The lora adapter 'poet' cannot be found.");
}

TEST_F(AdapterCodecTest, of_several_language_models_one_has_to_be_named) {
  registry::FakeLanguage other;
  models_.serve("other", "1", other);
  ready_.emplace_back("other");
  const std::string body = R"({"lora_name":"poet","lora_path":"poet.gguf")";
  const Answer refused = call(Method::kPost, "/v1/load_lora_adapter", body + "}");
  EXPECT_EQ(refused.status, 400);
  EXPECT_EQ(refused.body.at("error").at("param"), "base_model");
  const Answer loaded =
      call(Method::kPost, "/v1/load_lora_adapter", body + R"(,"base_model":"other"})");
  EXPECT_EQ(loaded.status, 200) << loaded.text;
  EXPECT_EQ(other.loaded(), 1u);
  shelf_.reset();
}

TEST_F(AdapterCodecTest, every_schema_of_a_route_is_there_and_changes_need_admin) {
  std::set<std::string_view> known;
  for (const Api& api : apis_) {
    for (const Schema& schema : api.schemas) {
      EXPECT_TRUE(known.insert(schema.name).second);
      json::error_code error;
      json::parse(schema.text, error);
      EXPECT_FALSE(error) << schema.name;
    }
  }
  for (const Api& api : apis_) {
    for (const Route& route : api.routes) {
      EXPECT_TRUE(route.request_schema.empty() || known.contains(route.request_schema));
      EXPECT_TRUE(known.contains(route.response_schema)) << route.pattern;
      EXPECT_EQ(route.scope, route.method == Method::kGet ? Scope::kRead : Scope::kAdmin);
    }
  }
}

}  // namespace
}  // namespace cortex::frontend::adapters
