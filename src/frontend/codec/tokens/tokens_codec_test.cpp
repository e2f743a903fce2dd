// SPDX-License-Identifier: Apache-2.0
#include "frontend/codec/tokens/tokens_codec.h"

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "frontend/codec/testing/fake_exchange.h"
#include "frontend/codec/tokens/tokens_request.h"

namespace cortex::frontend::tokens {
namespace {

using testing::body_of;
using testing::FakeExchange;

Result<TokenizeCall> read(std::string_view json) {
  const auto body = body_of(json);
  return read_tokenize(body->text());
}

std::string faulty_field(std::string_view json) {
  const auto call = read(json);
  EXPECT_EQ(call.status().code(), Code::kInvalidArgument) << json;
  return call.ok() ? "" : std::string(call.status().field());
}

TEST(TokenizeRequest, speaks_as_vllm_does) {
  const auto prompt = read(R"({"model":"m","prompt":"hi","return_token_strs":true})");
  ASSERT_TRUE(prompt.ok()) << prompt.status().text();
  EXPECT_EQ(prompt->model, "m");
  EXPECT_EQ(std::get<Prompt>(prompt->input.prompt).text, "hi");
  EXPECT_TRUE(prompt->input.special);
  EXPECT_TRUE(prompt->input.pieces);
  EXPECT_FALSE(read(R"({"prompt":"","add_special_tokens":false})")->input.special);

  const auto chat = read(
      R"({"messages":[{"role":"user","content":"hi"}],"add_generation_prompt":true,
          "add_special_tokens":false,"tools":[{"type":"function","function":{"name":"f"}}],
          "chat_template_kwargs":{"enable_thinking":false}})"
  );
  ASSERT_TRUE(chat.ok()) << chat.status().text();
  const auto& conversation = std::get<Conversation>(chat->input.prompt);
  EXPECT_EQ(conversation.messages.at(0).content, "hi");
  EXPECT_EQ(conversation.tools.at(0).name, "f");
  EXPECT_EQ(conversation.template_arguments, R"({"enable_thinking":false})");
}

TEST(TokenizeRequest, speaks_as_llama_server_does) {
  const auto call = read(R"({"content":"hi","parse_special":true,"with_pieces":true})");
  ASSERT_TRUE(call.ok()) << call.status().text();
  EXPECT_EQ(call->words, Words::kLlamaServer);
  EXPECT_FALSE(call->input.special);
  EXPECT_TRUE(call->input.pieces);
  EXPECT_TRUE(read(R"({"content":"hi","add_special":true})")->input.special);
}

TEST(TokenizeRequest, names_what_it_cannot_do) {
  EXPECT_EQ(faulty_field("{}"), "prompt");
  EXPECT_EQ(faulty_field(R"({"prompt":null})"), "prompt");
  EXPECT_EQ(faulty_field(R"({"prompt":["a"]})"), "prompt");
  EXPECT_EQ(faulty_field(R"({"prompt":"a","prompt":"b"})"), "prompt");
  EXPECT_EQ(faulty_field(R"({"prompt":"a","content":"b"})"), "content");
  EXPECT_EQ(faulty_field(R"({"content":"b","parse_special":false})"), "parse_special");
  EXPECT_EQ(faulty_field(R"({"prompt":"a","chat_template":"x"})"), "chat_template");
  EXPECT_EQ(faulty_field(R"({"messages":[]})"), "messages");
  EXPECT_EQ(
      faulty_field(R"({"messages":[{"role":"user","content":"a"}],"add_special_tokens":true})"),
      "add_special_tokens"
  );
}

TEST(DetokenizeRequest, takes_ids_alone) {
  const auto read_tokens = [](std::string_view json) {
    const auto body = body_of(json);
    return read_detokenize(body->text());
  };
  EXPECT_EQ(read_tokens(R"({"tokens":[1,2]})")->input.tokens, (std::vector<Token>{1, 2}));
  EXPECT_TRUE(read_tokens(R"({"tokens":[]})")->input.tokens.empty());
  for (const auto* const wrong :
       {R"({})",
        R"({"tokens":"a"})",
        R"({"tokens":[-1]})",
        R"({"tokens":[1.5]})",
        R"({"tokens":[2147483648]})"}) {
    EXPECT_EQ(read_tokens(wrong).status().field(), "tokens") << wrong;
  }
}

// A codec over some models that say what they are told to.
struct TokensCodecTest : ::testing::Test {
  std::shared_ptr<FakeExchange> post(std::string_view pattern, std::string_view body) {
    HttpRequest http;
    http.body = body_of(body);
    return testing::call(api, Method::kPost, pattern, std::move(http));
  }

  void add_model(const std::string& name, bool generates) {
    auto version = std::make_shared<registry::ServingVersion>();
    version->identity = {name, "1"};
    version->signature.generates = generates;
    models[name] = std::move(version);
  }

  ModelCatalog catalog() {
    ModelCatalog out;
    out.ready_models = [this] {
      std::vector<std::string> names;
      for (const auto& [name, handle] : models) names.push_back(name);
      return names;
    };
    out.find = [this](const ModelReference& reference) -> Result<registry::Handle> {
      return models.at(reference.name);
    };
    return out;
  }

  std::map<std::string, registry::Handle> models;
  std::shared_ptr<const Request> asked;
  ResponsePart answer;
  TokensCodec codec{
      catalog(),
      [this](
          std::shared_ptr<const Request> request, const std::shared_ptr<ResponseStream>& stream
      ) {
        asked = std::move(request);
        stream->finish(ResponsePart(answer), Timings());
      }
  };
  Api api = codec.make_api();
};

TEST_F(TokensCodecTest, answers_in_the_words_it_was_asked_in) {
  add_model("m", true);
  answer = TokenizeOutput{{7, 300}, {}, 4096};
  EXPECT_EQ(
      post("/tokenize", R"({"model":"m","prompt":"x"})")->bytes(),
      R"({"count":2,"max_model_len":4096,"tokens":[7,300],"token_strs":null})"
  );
  EXPECT_EQ(post("/tokenize", R"({"content":"x"})")->bytes(), R"({"tokens":[7,300]})");
  answer = TokenizeOutput{{7, 300}, {"a\"", "\xc3"}, 4096};
  EXPECT_EQ(
      post("/tokenize", R"({"prompt":"x","return_token_strs":true})")->bytes(),
      "{\"count\":2,\"max_model_len\":4096,\"tokens\":[7,300],\"token_strs\":[\"a\\\"\",\"\ufffd\"]"
      "}"
  );
  EXPECT_EQ(
      post("/tokenize", R"({"content":"x","with_pieces":true})")->bytes(),
      R"({"tokens":[{"id":7,"piece":"a\""},{"id":300,"piece":[195]}]})"
  );
  answer = DetokenizeOutput{"hé"};
  EXPECT_EQ(post("/detokenize", R"({"tokens":[1]})")->bytes(), R"({"prompt":"hé","content":"hé"})");
  EXPECT_EQ(std::get<DetokenizeInput>(asked->input).tokens, std::vector<Token>{1});
}

TEST_F(TokensCodecTest, takes_the_only_language_model_where_none_is_named) {
  answer = TokenizeOutput();
  add_model("vectors", false);
  EXPECT_EQ(post("/tokenize", R"({"prompt":"x"})")->failure().field(), "model");
  add_model("one", true);
  EXPECT_TRUE(post("/tokenize", R"({"prompt":"x"})")->failure().ok());
  EXPECT_EQ(asked->model.name, "one");
  add_model("other", true);
  EXPECT_EQ(post("/detokenize", R"({"tokens":[1]})")->failure().code(), Code::kInvalidArgument);
  EXPECT_TRUE(post("/tokenize", R"({"prompt":"x","model":"vectors"})")->failure().ok());
  EXPECT_EQ(asked->model.name, "vectors");
}

TEST_F(TokensCodecTest, an_answer_of_another_kind_is_our_own_fault) {
  add_model("m", true);
  answer = InferOutput();
  EXPECT_EQ(post("/tokenize", R"({"prompt":"x"})")->failure().code(), Code::kInternal);
  EXPECT_EQ(post("/detokenize", R"({"tokens":[1]})")->failure().code(), Code::kInternal);
  answer = TokenizeOutput{{1, 2}, {"a"}, 8};
  EXPECT_EQ(
      post("/tokenize", R"({"prompt":"x","return_token_strs":true})")->failure().code(),
      Code::kInternal
  );
}

}  // namespace
}  // namespace cortex::frontend::tokens
