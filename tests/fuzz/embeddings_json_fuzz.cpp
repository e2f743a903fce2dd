// SPDX-License-Identifier: Apache-2.0
// The input is the body of POST /v1/embeddings.
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "base/check.h"
#include "frontend/codec/openai/embeddings_request.h"
#include "request/buffer.h"

namespace openai = cortex::frontend::openai;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  auto body = cortex::Buffer::make(size);
  if (size > 0) std::memcpy(body->data(), data, size);
  const auto call = openai::read_embeddings(body->text());
  if (!call.ok()) {
    CHECK(call.status().code() == cortex::Code::kInvalidArgument, "the client's fault is named so");
    return 0;
  }
  const auto& input = call->input;
  const std::size_t inputs = input.texts.size() + input.tokens.size();
  CHECK(inputs > 0 && inputs <= openai::kEmbeddingInputsMax, "between one input and the limit");
  CHECK(input.texts.empty() || input.tokens.empty(), "texts or tokens");
  for (const auto& text : input.texts) CHECK(!text.empty(), "no empty text");
  for (const auto& tokens : input.tokens) CHECK(!tokens.empty(), "no empty list");
  return 0;
}
