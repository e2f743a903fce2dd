// SPDX-License-Identifier: Apache-2.0
#include "frontend/codec/openai/openai_codec.h"

#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "base/base64.h"
#include "frontend/codec/openai/embeddings_request.h"
#include "frontend/codec/testing/fake_exchange.h"

namespace cortex::frontend::openai {
namespace {

using testing::body_of;
using testing::call;
using testing::FakeExchange;

Result<EmbeddingsCall> read(std::string_view json) {
  return read_embeddings(body_of(json)->text());
}

Result<EmbeddingsCall> read_input(std::string_view input) {
  return read(R"({"model":"m","input":)" + std::string(input) + "}");
}

std::string fault(std::string_view json) {
  const auto body = body_of(json);
  const auto status = read_embeddings(body->text()).status();
  EXPECT_TRUE(status.ok() || status.code() == Code::kInvalidArgument);
  return status.text();
}

std::string input_fault(std::string_view input) {
  return fault(R"({"model":"m","input":)" + std::string(input) + "}");
}

TEST(EmbeddingsRequest, takes_texts_and_tokens_alone_and_in_lists) {
  using Texts = std::vector<std::string>;
  using Tokens = std::vector<std::vector<std::int64_t>>;
  EXPECT_EQ(read_input(R"("héllo\n")")->input.texts, (Texts{"héllo\n"}));
  EXPECT_EQ(read_input(R"(["a","b"])")->input.texts, (Texts{"a", "b"}));
  EXPECT_EQ(read_input("[101,0,102]")->input.tokens, (Tokens{{101, 0, 102}}));
  EXPECT_EQ(read_input("[[1],[2,3]]")->input.tokens, (Tokens{{1}, {2, 3}}));
}

TEST(EmbeddingsRequest, reads_the_options) {
  const auto asked = read(
      R"({"input":"a","user":"u","x":{"y":[1]},"dimensions":384,"encoding_format":"base64","model":"m@2"})"
  );
  ASSERT_TRUE(asked.ok()) << asked.status().text();
  EXPECT_EQ(asked->model, "m@2");
  EXPECT_EQ(asked->dimensions, 384U);
  EXPECT_TRUE(asked->base64);
  const auto plain = read(R"({"input":"a","model":"m","dimensions":null,"encoding_format":null})");
  ASSERT_TRUE(plain.ok()) << plain.status().text();
  EXPECT_FALSE(plain->base64);
  EXPECT_EQ(plain->dimensions, std::nullopt);
}

TEST(EmbeddingsRequest, refuses_empty_inputs) {
  for (const auto* const input : {R"("")", "[]", R"([""])", R"(["a",""])", "[[]]", "[[1],[]]"}) {
    EXPECT_EQ(input_fault(input), "'input' cannot be an empty string or array") << input;
  }
}

TEST(EmbeddingsRequest, refuses_mixed_and_foreign_inputs) {
  for (const auto* const input :
       {"1",
        "true",
        "{}",
        R"(["a",1])",
        R"([1,"a"])",
        "[1.5]",
        "[-1]",
        "[[1],2]",
        "[[[1]]]",
        "[true]",
        "[null]",
        R"([["a"]])"}) {
    EXPECT_NE(input_fault(input).find("'input' must be a string"), std::string::npos) << input;
  }
}

TEST(EmbeddingsRequest, refuses_more_inputs_than_the_limit) {
  std::string list = R"(["a")";
  for (std::size_t i = 1; i < kEmbeddingInputsMax; ++i) list += R"(,"a")";
  EXPECT_EQ(input_fault(list + "]"), "");
  EXPECT_EQ(input_fault(list + R"(,"a"])"), "'input' holds more than 2048 inputs");
}

TEST(EmbeddingsRequest, refuses_what_is_missing_or_of_another_type) {
  EXPECT_EQ(fault(R"({"input":"a"})"), "you must provide a 'model' parameter");
  EXPECT_EQ(fault(R"({"model":"m"})"), "you must provide an 'input' parameter");
  EXPECT_EQ(fault(R"({"model":"m","input":null})"), "you must provide an 'input' parameter");
  EXPECT_EQ(fault(R"({"model":1})"), "'model' must be a string");
  EXPECT_EQ(fault(R"({"encoding_format":"hex"})"), "'encoding_format' must be 'float' or 'base64'");
  EXPECT_EQ(fault(R"({"dimensions":0})"), "'dimensions' must be at least 1");
  EXPECT_EQ(
      fault(R"({"dimensions":1.5})"), "'dimensions' must be a whole number that is not negative"
  );
  EXPECT_EQ(fault(R"({"input":"a","input":"b"})"), "'input' is given twice");
  EXPECT_NE(fault(""), "");
  EXPECT_NE(fault("[]"), "");
  EXPECT_NE(fault(R"({"model":"m","input":"a"}})"), "");
  EXPECT_NE(fault(R"({"model":"m","input":"a)"), "");
}

std::string base64(std::string_view text) {
  std::string out = "<";
  append_base64(out, std::as_bytes(std::span(text)));
  return out;
}

TEST(Base64, agrees_with_the_standards_examples) {
  EXPECT_EQ(base64(""), "<");
  EXPECT_EQ(base64("f"), "<Zg==");
  EXPECT_EQ(base64("fo"), "<Zm8=");
  EXPECT_EQ(base64("foo"), "<Zm9v");
  EXPECT_EQ(base64("foob"), "<Zm9vYg==");
  EXPECT_EQ(base64("foobar"), "<Zm9vYmFy");
  EXPECT_EQ(base64("\xff\xfe\xfd"), "<//79");
}

// A codec over one model of two dimensions.
struct Served {
  std::shared_ptr<const Request> request;
  EmbeddingOutput output{2, {0.5F, -1}};
  OpenAiCodec codec{catalog(), submit(), {1700000000}};
  Api api = codec.make_api();

  static ModelCatalog catalog() {
    ModelCatalog out;
    out.ready_models = [] { return std::vector<std::string>{"mini", "org/m"}; };
    out.find = [](const ModelReference& reference) -> Result<registry::Handle> {
      registry::ServingVersion version;
      if (reference.name == "mini") version.config.text.tokenizer = "vocab.txt";
      if (reference.name == "org/m") version.signature.generates = true;
      if (reference.name == "mini" || reference.name == "org/m") {
        return std::make_shared<const registry::ServingVersion>(std::move(version));
      }
      return not_found("Request for unknown model: '" + reference.name + "' is not found");
    };
    return out;
  }

  Submit submit() {
    return [this](
               std::shared_ptr<const Request> asked, const std::shared_ptr<ResponseStream>& stream
           ) {
      request = std::move(asked);
      if (request->model.name != "mini") return stream->finish(not_found("no such model"));
      Timings timings;
      timings.input_tokens = 7;
      stream->finish(EmbeddingOutput(output), timings);
    };
  }

  std::shared_ptr<FakeExchange> embed(std::string_view body) {
    HttpRequest http;
    http.id = "r1";
    http.body = body_of(body);
    return call(api, Method::kPost, "/v1/embeddings", std::move(http));
  }
};

TEST(OpenAiCodec, embeds) {
  Served served;
  EXPECT_EQ(
      served.embed(R"({"model":"mini","input":"a"})")->bytes(),
      R"({"object":"list","data":[{"object":"embedding","index":0,"embedding":[0.5,-1]}],)"
      R"("model":"mini","usage":{"prompt_tokens":7,"total_tokens":7}})"
  );
  EXPECT_EQ(served.request->id, "r1");
}

TEST(OpenAiCodec, gives_base64_of_little_endian_floats) {
  Served served;
  served.output.values = {0.5F, -1, 1, 2};
  EXPECT_EQ(
      served.embed(R"({"model":"mini","input":["a","b"],"encoding_format":"base64"})")->bytes(),
      R"({"object":"list","data":[{"object":"embedding","index":0,"embedding":"AAAAPwAAgL8="},)"
      R"({"object":"embedding","index":1,"embedding":"AACAPwAAAEA="}],)"
      R"("model":"mini","usage":{"prompt_tokens":7,"total_tokens":7}})"
  );
}

TEST(OpenAiCodec, takes_the_models_own_dimensions_alone) {
  Served served;
  EXPECT_TRUE(served.embed(R"({"model":"mini","input":"a","dimensions":2})")->failure().ok());
  EXPECT_EQ(
      served.embed(R"({"model":"mini","input":"a","dimensions":1})")->failure().text(),
      "'dimensions' must be 2 for model 'mini'"
  );
}

TEST(OpenAiCodec, a_wrong_number_of_vectors_is_our_fault) {
  Served served;
  EXPECT_EQ(
      served.embed(R"({"model":"mini","input":["a","b"]})")->failure().code(), Code::kInternal
  );
}

TEST(OpenAiCodec, passes_errors_on) {
  Served served;
  EXPECT_EQ(served.embed(R"({"model":"max","input":"a"})")->failure().code(), Code::kNotFound);
  EXPECT_EQ(
      served.embed(R"({"model":"..","input":"a"})")->failure().code(), Code::kInvalidArgument
  );
  EXPECT_EQ(served.embed("{")->failure().code(), Code::kInvalidArgument);
}

TEST(OpenAiCodec, lists_models) {
  Served served;
  EXPECT_EQ(
      call(served.api, Method::kGet, "/v1/models")->bytes(),
      R"({"object":"list","data":[{"id":"mini","object":"model","created":1700000000,"owned_by":"cortex","root":"mini","parent":null,"capabilities":["embedding"]},)"
      R"({"id":"org/m","object":"model","created":1700000000,"owned_by":"cortex","root":"org/m","parent":null,"capabilities":["completion"]}]})"
  );
}

TEST(OpenAiCodec, shows_one_model) {
  Served served;
  const auto show = [&](std::string name) {
    HttpRequest http;
    http.path_values = {std::move(name)};
    return call(served.api, Method::kGet, "/v1/models/{model}", std::move(http));
  };
  EXPECT_EQ(
      show("mini")->bytes(),
      R"({"id":"mini","object":"model","created":1700000000,"owned_by":"cortex","root":"mini","parent":null,"capabilities":["embedding"]})"
  );
  EXPECT_EQ(show("max")->failure().code(), Code::kNotFound);
  EXPECT_EQ(show("../x")->failure().code(), Code::kInvalidArgument);
}

TEST(OpenAiCodec, errors_are_openais) {
  Served served;
  EXPECT_EQ(
      served.api.error_body(404, not_found("say \"x\""), ""),
      R"({"error":{"message":"say \"x\"","type":"invalid_request_error","param":"model","code":"model_not_found"}})"
  );
  EXPECT_NE(
      served.api.error_body(401, unauthenticated("no"), "").find(R"("code":"invalid_api_key")"),
      std::string::npos
  );
}

}  // namespace
}  // namespace cortex::frontend::openai
