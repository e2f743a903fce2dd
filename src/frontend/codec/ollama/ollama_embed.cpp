// SPDX-License-Identifier: Apache-2.0
#include "frontend/codec/ollama/ollama_embed.h"

#include <chrono>
#include <span>
#include <utility>
#include <vector>

#include "base/json_text.h"
#include "frontend/codec/detail/number_text.h"
#include "frontend/codec/detail/request_fields.h"

namespace cortex::frontend::ollama {
namespace {

namespace ondemand = simdjson::ondemand;

Status add_input(ondemand::value value, std::vector<std::string>& texts) {
  if (texts.size() >= kEmbedInputsMax) {
    return field_error("input", "a list of at most " + std::to_string(kEmbedInputsMax) + " texts");
  }
  CORTEX_RETURN_IF_ERROR(read_text(value, "input", texts.emplace_back()));
  return texts.back().empty() ? field_error("input", "of texts that are not empty") : Status();
}

Status read_input(ondemand::value value, std::vector<std::string>& texts) {
  ondemand::json_type type{};
  if (const auto error = value.type().get(type)) return malformed_json(error);
  if (type == ondemand::json_type::string) return add_input(value, texts);
  ondemand::array array;
  if (value.get_array().get(array)) return field_error("input", "a text or a list of texts");
  return for_each_element(array, [&](ondemand::value text) { return add_input(text, texts); });
}

Status read_embed_field(std::string_view key, ondemand::value value, EmbedCall& call) {
  bool null = false;
  if (const auto error = value.is_null().get(null)) return malformed_json(error);
  if (null) return {};
  if (key == "model") return read_text(value, key, call.model);
  if (key == "input") return read_input(value, call.input.texts);
  if (key == "truncate") return read_bool(value, key, call.input.truncate);
  if (key == "dimensions") return unsupported_field(key, "vectors have the model's own size");
  return skip_value(value);
}

}  // namespace

Result<EmbedCall> read_embed(std::string_view padded_body) {
  HotJson json(padded_body);
  ondemand::object object;
  CORTEX_RETURN_IF_ERROR(json.object(object));
  EmbedCall call;
  CORTEX_RETURN_IF_ERROR(for_each_field(object, [&](std::string_view key, ondemand::value value) {
    return with_field_name(read_embed_field(key, value, call), key);
  }));
  CORTEX_RETURN_IF_ERROR(json.at_end());
  if (call.model.empty()) return missing_field("model");
  if (call.input.texts.empty()) return missing_field("input");
  return call;
}

Result<HttpReply> write_embed_reply(
    const OllamaPlan& plan, std::size_t inputs, const EmbeddingOutput& output, std::uint64_t tokens
) {
  if (output.values.size() != inputs * output.dimensions) {
    return internal("a servable gave another number of vectors than it got inputs");
  }
  HttpReply reply;
  std::string& out = reply.body;
  out.append(R"({"model":)");
  append_json_string(out, plan.model);
  out.append(R"(,"embeddings":[)");
  const std::span values(output.values);
  for (std::size_t i = 0; i < inputs; ++i) {
    out.append(i > 0 ? ",[" : "[");
    const auto vector = values.subspan(i * output.dimensions, output.dimensions);
    append_json_elements<float>(out, std::as_bytes(vector));
    out.push_back(']');
  }
  const auto total =
      std::chrono::duration_cast<std::chrono::nanoseconds>(plan.clock->now() - plan.arrival);
  out.append(R"(],"total_duration":)").append(std::to_string(total.count()));
  out.append(R"(,"load_duration":0,"prompt_eval_count":)").append(std::to_string(tokens));
  out.push_back('}');
  return reply;
}

}  // namespace cortex::frontend::ollama
