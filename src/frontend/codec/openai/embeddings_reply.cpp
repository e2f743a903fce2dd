// SPDX-License-Identifier: Apache-2.0
#include "frontend/codec/openai/embeddings_reply.h"

#include <span>

#include "base/base64.h"
#include "base/json_text.h"
#include "frontend/codec/detail/number_text.h"

namespace cortex::frontend::openai {
namespace {

void append_vector(std::string& out, std::span<const float> vector, bool base64) {
  // base64 carries little-endian floats, which is how they lie here.
  const auto bytes = std::as_bytes(vector);
  out.push_back(base64 ? '"' : '[');
  if (base64) {
    append_base64(out, bytes);
  } else {
    append_json_elements<float>(out, bytes);
  }
  out.push_back(base64 ? '"' : ']');
}

void append_prompt_usage(std::string& out, std::uint64_t tokens) {
  const std::string count = std::to_string(tokens);
  out.append(R"("usage":{"prompt_tokens":)").append(count);
  out.append(R"(,"total_tokens":)").append(count).append("}");
}

Status check(const EmbeddingsPlan& plan, const EmbeddingOutput& output) {
  if (output.values.size() != plan.inputs * output.dimensions) {
    return internal("a servable gave another number of vectors than it got inputs");
  }
  if (plan.dimensions.value_or(output.dimensions) == output.dimensions) return {};
  return invalid_argument(
      "'dimensions' must be " + std::to_string(output.dimensions) + " for model '" + plan.model +
      "'"
  );
}

}  // namespace

Result<HttpReply> write_embeddings_reply(
    const EmbeddingsPlan& plan, const EmbeddingOutput& output, std::uint64_t tokens
) {
  CORTEX_RETURN_IF_ERROR(check(plan, output));
  const std::size_t bytes_per_value = plan.base64 ? 6 : 14;
  HttpReply reply;
  std::string& out = reply.body;
  out.reserve(160 + output.values.size() * bytes_per_value + plan.inputs * 64);
  out.append(R"({"object":"list","data":[)");
  for (std::size_t i = 0; i < plan.inputs; ++i) {
    if (i > 0) out.push_back(',');
    out.append(R"({"object":"embedding","index":)").append(std::to_string(i));
    out.append(R"(,"embedding":)");
    const std::span values(output.values);
    append_vector(out, values.subspan(i * output.dimensions, output.dimensions), plan.base64);
    out.push_back('}');
  }
  out.append(R"(],"model":)");
  append_json_string(out, plan.model);
  out.push_back(',');
  append_prompt_usage(out, tokens);
  out.push_back('}');
  return reply;
}

}  // namespace cortex::frontend::openai
