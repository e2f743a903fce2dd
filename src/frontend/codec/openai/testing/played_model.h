// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/check.h"
#include "frontend/codec/openai/openai_codec.h"
#include "frontend/codec/testing/fake_exchange.h"

namespace cortex::frontend::openai {

inline GenerationOutput said(std::string text, std::uint32_t sequence = 0) {
  GenerationOutput out;
  out.sequence = sequence;
  out.text = std::move(text);
  return out;
}

inline GenerationOutput finished(FinishReason reason, std::uint32_t sequence = 0) {
  GenerationOutput out;
  out.sequence = sequence;
  out.finish = reason;
  return out;
}

// A codec over a model that says the same to everybody: 7 tokens read, 4 of them cached, 5 written.
struct PlayedModel {
  std::vector<std::shared_ptr<const Request>> asked;
  std::vector<GenerationOutput> parts;
  Status end;
  OpenAiCodec codec{ModelCatalog(), submit(), options()};
  Api api = codec.make_api();

  void plays(std::vector<GenerationOutput> what) { parts = std::move(what); }

  static OpenAiOptions options() {
    OpenAiOptions out;
    out.fingerprint = "fp_test";
    out.now = [] { return std::int64_t{1'700'000'000'123}; };
    out.draw = [] { return "r1"; };
    return out;
  }

  Submit submit() {
    return [this](
               std::shared_ptr<const Request> request, const std::shared_ptr<ResponseStream>& stream
           ) {
      asked.push_back(std::move(request));
      for (const GenerationOutput& part : parts) {
        if (!stream->write(GenerationOutput(part))) break;
      }
      Timings timings;
      timings.input_tokens = 7;
      timings.cached_tokens = 4;
      timings.output_tokens = 5;
      stream->finish(end, timings);
    };
  }

  // A chat of one message with the fields given, which begin with a comma.
  std::shared_ptr<testing::FakeExchange> chat(std::string_view fields) {
    const std::string body =
        R"({"model":"m","messages":[{"role":"user","content":"hi"}])" + std::string(fields) + "}";
    return post("/v1/chat/completions", body);
  }

  std::shared_ptr<testing::FakeExchange> complete(std::string_view fields) {
    return post("/v1/completions", R"({"model":"m")" + std::string(fields) + "}");
  }

  std::shared_ptr<testing::FakeExchange> post(std::string_view pattern, std::string_view body) {
    HttpRequest http;
    http.id = "r1";
    http.body = testing::body_of(body);
    return testing::call(api, Method::kPost, pattern, std::move(http));
  }
};

}  // namespace cortex::frontend::openai
