// SPDX-License-Identifier: Apache-2.0
#include "cli/bench/workload.h"

#include <algorithm>
#include <cstring>
#include <random>

#include "base/json_text.h"
#include "cli/detail/json.h"
#include "cli/detail/npy.h"

namespace cortex::cli::bench {
namespace {

namespace json = boost::json;

// Distinct requests of a workload whose lengths differ; enough for a spread, few enough to prepare
// at once.
constexpr std::size_t kMixedRequests = 64;
constexpr std::size_t kElementsMax = 256u << 20;
// What a BERT tokenizer puts around a text.
constexpr std::size_t kMarks = 2;

// One token each in the vocabularies of the usual English text models.
constexpr const char* kWords[] = {"the",  "of",   "and",  "in",   "to",    "was",  "is",   "for",
                                  "on",   "as",   "with", "by",   "he",    "at",   "from", "his",
                                  "it",   "that", "city", "year", "world", "time", "work", "school",
                                  "line", "game", "team", "hand", "house", "life", "book", "water"};

std::string text_of(std::size_t words, std::mt19937_64& random) {
  std::string out;
  for (std::size_t i = 0; i < words; ++i) {
    out.append(i == 0 ? "" : " ").append(kWords[random() % std::size(kWords)]);
  }
  return out;
}

template <typename T>
void append_number(std::string& out, T value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof value);
}

// Values that every model takes: small numbers, ones for masks, zeros for segment ids, ids of usual
// words.
std::int64_t whole_value(const std::string& name, std::mt19937_64& random) {
  if (name.find("mask") != std::string::npos) return 1;
  if (name.find("type") != std::string::npos) return 0;
  if (name.find("ids") != std::string::npos)
    return 1996 + static_cast<std::int64_t>(random() % 8000);
  return static_cast<std::int64_t>(random() % 100);
}

void append_value(TensorValue& tensor, std::mt19937_64& random) {
  const std::string& type = tensor.datatype;
  const std::int64_t whole = whole_value(tensor.name, random);
  const double real = static_cast<double>(random() % 1000) / 1000;
  if (type == "FP32") return append_number(tensor.bytes, static_cast<float>(real));
  if (type == "FP64") return append_number(tensor.bytes, real);
  if (type == "FP16") return append_number<std::uint16_t>(tensor.bytes, 0x3C00);
  if (type == "BF16") return append_number<std::uint16_t>(tensor.bytes, 0x3F80);
  if (type == "BOOL") return append_number<std::uint8_t>(tensor.bytes, 1);
  if (type == "BYTES") {
    append_number<std::uint32_t>(tensor.bytes, 4);
    tensor.bytes += "text";
    return;
  }
  // Small and not negative: the low bytes are the number in every width and sign.
  std::uint64_t bits = static_cast<std::uint64_t>(whole);
  if (detail::element_bytes(type) == 1) bits %= 100;
  tensor.bytes.append(reinterpret_cast<const char*>(&bits), detail::element_bytes(type));
}

Status fill(TensorValue& tensor, std::mt19937_64& random) {
  std::size_t count = 1;
  for (const std::int64_t dimension : tensor.shape) {
    if (dimension < 0 ||
        __builtin_mul_overflow(count, static_cast<std::size_t>(dimension), &count) ||
        count > kElementsMax) {
      return invalid_argument("input '" + tensor.name + "' is too large or has an open dimension");
    }
  }
  for (std::size_t i = 0; i < count; ++i) append_value(tensor, random);
  return {};
}

Status close_shape(TensorValue& input, const WorkloadOptions& options) {
  const auto given = options.shapes.find(input.name);
  if (given != options.shapes.end()) {
    input.shape = given->second;
    return {};
  }
  // The first open dimension is the batch.
  if (!input.shape.empty() && input.shape.front() == -1) input.shape.front() = 1;
  if (std::ranges::find(input.shape, -1) == input.shape.end()) return {};
  return invalid_argument(
      "input '" + input.name + "' has open dimensions: give them with --shape " + input.name +
      ":1,16"
  );
}

Result<Workload> infer_workload(std::vector<TensorValue> inputs, const WorkloadOptions& options) {
  std::mt19937_64 random(1);
  for (TensorValue& input : inputs) {
    CORTEX_RETURN_IF_ERROR(close_shape(input, options));
    CORTEX_RETURN_IF_ERROR(fill(input, random));
  }
  Workload out;
  out.target = detail::infer_target(options.model);
  out.binary = true;
  out.requests.push_back(detail::infer_body(inputs));
  out.tensors.push_back(std::move(inputs));
  return out;
}

std::string embedding_body(const std::string& model, const std::string& text) {
  std::string out = "{\"model\":";
  append_json_string(out, model);
  out += ",\"input\":";
  append_json_string(out, text);
  return out + ",\"encoding_format\":\"base64\"}";
}

Result<std::size_t> token_count(net::HttpClient& client, const net::HttpCall& request) {
  CORTEX_ASSIGN_OR_RETURN(const json::value answer, detail::call_json(client, request));
  const json::value* usage = detail::member(answer, "usage");
  const json::value* tokens = usage == nullptr ? nullptr : detail::member(*usage, "prompt_tokens");
  boost::system::error_code error;
  const auto count = tokens == nullptr ? 0 : tokens->to_number<std::size_t>(error);
  if (error || count == 0)
    return failed_precondition("the answer does not say how many tokens it took");
  return count;
}

Status add_embedding(
    net::HttpClient& client, const std::vector<TensorValue>& inputs, std::string body, Workload& out
) {
  std::mt19937_64 random(out.requests.size() + 1);
  out.requests.push_back({std::move(body), 0});
  const std::size_t index = out.requests.size() - 1;
  CORTEX_ASSIGN_OR_RETURN(const std::size_t tokens, token_count(client, out.call(index)));
  out.tokens += tokens;
  std::vector<TensorValue> tensors = inputs;
  for (TensorValue& tensor : tensors) {
    tensor.shape = {1, static_cast<std::int64_t>(tokens)};
    CORTEX_RETURN_IF_ERROR(fill(tensor, random));
  }
  out.tensors.push_back(std::move(tensors));
  return {};
}

}  // namespace

net::HttpCall Workload::call(std::size_t index) const {
  const detail::InferBody& request = requests[index % requests.size()];
  if (binary) return request.call(target);
  net::HttpCall out;
  out.method = "POST";
  out.target = target;
  out.body = request.body;
  return out;
}

Result<Workload> make_workload(net::HttpClient& client, const WorkloadOptions& options) {
  CORTEX_ASSIGN_OR_RETURN(const auto inputs, detail::model_inputs(client, options.model));
  if (!options.embeddings) return infer_workload(inputs, options);
  Workload out;
  out.target = "/v1/embeddings";
  std::mt19937_64 random(1);
  const std::size_t spread = options.tokens_most - options.tokens_least + 1;
  const std::size_t count = spread == 1 ? 1 : kMixedRequests;
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t tokens = options.tokens_least + random() % spread;
    const std::string text = text_of(std::max(tokens, kMarks + 1) - kMarks, random);
    CORTEX_RETURN_IF_ERROR(add_embedding(client, inputs, embedding_body(options.model, text), out));
  }
  return out;
}

}  // namespace cortex::cli::bench
