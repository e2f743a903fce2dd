// SPDX-License-Identifier: Apache-2.0
// The input is the body of POST /v1/embeddings, and of POST /v1/rerank.
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "base/check.h"
#include "frontend/codec/openai/embeddings_request.h"
#include "frontend/codec/rerank/rerank_request.h"
#include "request/buffer.h"

namespace openai = cortex::frontend::openai;
namespace rerank = cortex::frontend::rerank;

namespace {

void check_embeddings(const cortex::Result<openai::EmbeddingsCall>& call) {
  if (!call.ok()) {
    CHECK(call.status().code() == cortex::Code::kInvalidArgument, "the client's fault is named so");
    return;
  }
  const auto& input = call->input;
  const std::size_t inputs = input.texts.size() + input.tokens.size();
  CHECK(inputs > 0 && inputs <= openai::kEmbeddingInputsMax, "between one input and the limit");
  CHECK(input.texts.empty() || input.tokens.empty(), "texts or tokens");
  for (const auto& text : input.texts) CHECK(!text.empty(), "no empty text");
  for (const auto& tokens : input.tokens) CHECK(!tokens.empty(), "no empty list");
}

void check_rerank(const cortex::Result<rerank::RerankCall>& call) {
  if (!call.ok()) {
    CHECK(call.status().code() == cortex::Code::kInvalidArgument, "the client's fault is named so");
    return;
  }
  const std::size_t documents = call->input.documents.size();
  CHECK(documents > 0 && documents <= rerank::kDocumentsMax, "between one document and the limit");
  CHECK(!call->model.empty() && !call->input.query.empty(), "both are required");
  CHECK(call->top.value_or(1) > 0, "in range once read");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  auto body = cortex::Buffer::make(size);
  if (size > 0) std::memcpy(body->data(), data, size);
  check_embeddings(openai::read_embeddings(body->text()));
  check_rerank(rerank::read_rerank(body->text()));
  return 0;
}
