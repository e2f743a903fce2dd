// SPDX-License-Identifier: Apache-2.0
#include "frontend/codec/rerank/rerank_codec.h"

#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "frontend/codec/rerank/rerank_request.h"
#include "frontend/codec/testing/fake_exchange.h"

namespace cortex::frontend::rerank {
namespace {

using testing::body_of;
using testing::FakeExchange;

Result<RerankCall> read(std::string_view json) {
  const auto body = body_of(json);
  return read_rerank(body->text());
}

std::string faulty_field(std::string_view json) {
  const auto call = read(json);
  EXPECT_EQ(call.status().code(), Code::kInvalidArgument) << json;
  return call.ok() ? "" : std::string(call.status().field());
}

TEST(RerankRequest, takes_documents_as_texts_and_as_objects) {
  const auto call = read(
      R"({"model":"m","query":"q","documents":["a",{"id":7,"text":"b"},""],"top_n":2,
          "return_documents":false,"truncation":false})"
  );
  ASSERT_TRUE(call.ok()) << call.status().text();
  EXPECT_EQ(call->model, "m");
  EXPECT_EQ(call->input.query, "q");
  EXPECT_EQ(call->input.documents, (std::vector<std::string>{"a", "b", ""}));
  EXPECT_EQ(call->top, 2u);
  EXPECT_EQ(call->return_documents, false);
  EXPECT_FALSE(call->input.truncate);
  const auto least = read(R"({"model":"m","query":"q","documents":["a"],"top_n":null})");
  ASSERT_TRUE(least.ok()) << least.status().text();
  EXPECT_FALSE(least->top);
  EXPECT_FALSE(least->return_documents);
  EXPECT_TRUE(least->input.truncate);
}

TEST(RerankRequest, names_the_field_at_fault) {
  EXPECT_EQ(faulty_field(R"({"query":"q","documents":["a"]})"), "model");
  EXPECT_EQ(faulty_field(R"({"model":"m","documents":["a"]})"), "query");
  EXPECT_EQ(faulty_field(R"({"model":"m","query":"","documents":["a"]})"), "query");
  EXPECT_EQ(faulty_field(R"({"model":"m","query":"q"})"), "documents");
  EXPECT_EQ(faulty_field(R"({"model":"m","query":"q","documents":[]})"), "documents");
  EXPECT_EQ(faulty_field(R"({"model":"m","query":"q","documents":"a"})"), "documents");
  EXPECT_EQ(faulty_field(R"({"model":"m","query":"q","documents":["a",1]})"), "documents[1]");
  EXPECT_EQ(faulty_field(R"({"model":"m","query":"q","documents":[{"t":"a"}]})"), "documents[0]");
  EXPECT_EQ(
      faulty_field(R"({"model":"m","query":"q","documents":[{"text":1}]})"), "documents[0].text"
  );
  EXPECT_EQ(faulty_field(R"({"model":"m","query":"q","documents":["a"],"top_n":0})"), "top_n");
  EXPECT_EQ(
      faulty_field(R"({"model":"m","query":"q","documents":["a"],"rank_fields":["t"]})"),
      "rank_fields"
  );
  EXPECT_EQ(faulty_field(R"({"model":"m","query":"q","query":"r","documents":["a"]})"), "query");
  std::string many = R"({"model":"m","query":"q","documents":["")";
  for (std::size_t i = 1; i < kDocumentsMax; ++i) many += R"(,"")";
  EXPECT_TRUE(read(many + "]}").ok());
  EXPECT_EQ(faulty_field(many + R"(,""]})"), "documents");
}

struct RerankCodecTest : ::testing::Test {
  std::shared_ptr<FakeExchange> post(std::string_view pattern, std::string_view body) {
    HttpRequest http;
    http.id = "r1";
    http.body = body_of(body);
    return testing::call(api, Method::kPost, pattern, std::move(http));
  }

  std::shared_ptr<const Request> asked;
  ResponsePart answer;
  RerankCodec codec{[this](
                        std::shared_ptr<const Request> request,
                        const std::shared_ptr<ResponseStream>& stream
                    ) {
    asked = std::move(request);
    Timings timings;
    timings.input_tokens = 12;
    stream->finish(ResponsePart(answer), timings);
  }};
  Api api = codec.make_api();
};

constexpr const char* kThree = R"({"model":"m","query":"q","documents":["a","b\"","c"])";

TEST_F(RerankCodecTest, gives_the_best_first_and_equals_in_their_order) {
  answer = RerankOutput{{0.25F, 0.5F, 0.25F}};
  EXPECT_EQ(
      post("/v1/rerank", std::string(kThree) + "}")->bytes(),
      R"({"id":"rerank-r1","model":"m","results":[)"
      R"({"index":1,"relevance_score":0.5,"document":{"text":"b\""}},)"
      R"({"index":0,"relevance_score":0.25,"document":{"text":"a"}},)"
      R"({"index":2,"relevance_score":0.25,"document":{"text":"c"}}],)"
      R"("usage":{"prompt_tokens":12,"total_tokens":12}})"
  );
  EXPECT_EQ(asked->model.name, "m");
  EXPECT_EQ(std::get<RerankInput>(asked->input).documents.size(), 3u);
}

TEST_F(RerankCodecTest, gives_as_many_as_were_asked_for_and_documents_by_route_or_wish) {
  answer = RerankOutput{{0.25F, 0.5F, 0.125F}};
  const std::string bare =
      R"({"id":"rerank-r1","model":"m","results":[{"index":1,"relevance_score":0.5}],)"
      R"("usage":{"prompt_tokens":12,"total_tokens":12}})";
  EXPECT_EQ(post("/v2/rerank", std::string(kThree) + R"(,"top_n":1})")->bytes(), bare);
  EXPECT_EQ(
      post("/rerank", std::string(kThree) + R"(,"top_n":1,"return_documents":false})")->bytes(),
      bare
  );
  const auto all =
      post("/v2/rerank", std::string(kThree) + R"(,"top_n":9,"return_documents":true})");
  EXPECT_NE(all->bytes().find(R"("document":{"text":"c"})"), std::string::npos);
}

TEST_F(RerankCodecTest, an_answer_of_another_kind_or_of_no_numbers_is_our_own_fault) {
  for (const ResponsePart& wrong :
       {ResponsePart(InferOutput()),
        ResponsePart(RerankOutput{{1, 2}}),
        ResponsePart(RerankOutput{{1, 2, std::numeric_limits<float>::quiet_NaN()}})}) {
    answer = wrong;
    EXPECT_EQ(post("/v1/rerank", std::string(kThree) + "}")->failure().code(), Code::kInternal);
  }
  EXPECT_EQ(
      post("/v1/rerank", R"({"model":"a@","query":"q","documents":["a"]})")->failure().field(),
      "model"
  );
}

}  // namespace
}  // namespace cortex::frontend::rerank
