// SPDX-License-Identifier: Apache-2.0
#include "cli/detail/infer_wire.h"

#include <charconv>

#include <boost/json/serialize.hpp>

#include "base/json_text.h"
#include "cli/detail/json.h"

namespace cortex::cli::detail {
namespace {

namespace json = boost::json;

std::string shape_json(const std::vector<std::int64_t>& shape) {
  std::string out = "[";
  for (const std::int64_t dimension : shape) {
    out += (out.size() > 1 ? "," : "") + std::to_string(dimension);
  }
  return out + "]";
}

TensorValue described(const json::value& entry) {
  TensorValue out;
  out.name = text_member(entry, "name");
  out.datatype = text_member(entry, "datatype");
  out.shape = numbers_member(entry, "shape");
  return out;
}

// How many bytes of the answer's tail are this output's; nothing when its data stands in the JSON.
std::optional<std::size_t> binary_size(const json::value& entry) {
  const json::value* parameters = member(entry, "parameters");
  const json::value* size =
      parameters == nullptr ? nullptr : member(*parameters, "binary_data_size");
  if (size == nullptr) return std::nullopt;
  boost::system::error_code error;
  const auto value = size->to_number<std::size_t>(error);
  return error ? std::nullopt : std::optional(value);
}

}  // namespace

net::HttpCall InferBody::call(std::string_view target) const {
  net::HttpCall out;
  out.method = "POST";
  out.target = target;
  out.body = body;
  out.content_type = "application/octet-stream";
  out.headers = {{"Inference-Header-Content-Length", std::to_string(json_bytes)}};
  return out;
}

InferBody infer_body(const std::vector<TensorValue>& inputs) {
  std::string text = R"({"parameters":{"binary_data_output":true},"inputs":[)";
  const char* before = "";
  for (const TensorValue& input : inputs) {
    text += before;
    text += "{\"name\":";
    append_json_string(text, input.name);
    text += ",\"datatype\":\"" + input.datatype + "\",\"shape\":" + shape_json(input.shape) +
            ",\"parameters\":{\"binary_data_size\":" + std::to_string(input.bytes.size()) + "}}";
    before = ",";
  }
  text += "]}";
  InferBody out{std::move(text), 0};
  out.json_bytes = out.body.size();
  for (const TensorValue& input : inputs) out.body += input.bytes;
  return out;
}

Result<std::vector<TensorValue>> infer_outputs(const net::HttpAnswer& answer) {
  const std::string_view header = answer.header("inference-header-content-length");
  std::size_t json_bytes = answer.body.size();
  if (!header.empty()) {
    const auto [end, error] =
        std::from_chars(header.data(), header.data() + header.size(), json_bytes);
    if (error != std::errc() || json_bytes > answer.body.size()) {
      return failed_precondition("the answer's Inference-Header-Content-Length is wrong");
    }
  }
  const std::string_view body(answer.body);
  std::string_view tail = body.substr(json_bytes);
  CORTEX_ASSIGN_OR_RETURN(
      const json::value value, parse_json(body.substr(0, json_bytes), "the answer")
  );
  const json::value* list = member(value, "outputs");
  if (list == nullptr || !list->is_array()) return failed_precondition("the answer has no outputs");
  std::vector<TensorValue> out;
  for (const json::value& entry : list->get_array()) {
    TensorValue tensor = described(entry);
    const auto size = binary_size(entry);
    if (!size || *size > tail.size()) {
      return failed_precondition("output '" + tensor.name + "' did not come in binary form");
    }
    tensor.bytes = tail.substr(0, *size);
    tail.remove_prefix(*size);
    out.push_back(std::move(tensor));
  }
  return out;
}

Result<std::vector<TensorValue>> model_inputs(net::HttpClient& client, const std::string& model) {
  const std::string target = "/v2/models/" + net::path_segment(model);
  net::HttpCall request;
  request.target = target;
  CORTEX_ASSIGN_OR_RETURN(const json::value metadata, call_json(client, request));
  const json::value* list = member(metadata, "inputs");
  if (list == nullptr || !list->is_array())
    return failed_precondition("the metadata has no inputs");
  std::vector<TensorValue> out;
  for (const json::value& entry : list->get_array()) out.push_back(described(entry));
  return out;
}

std::string infer_target(const std::string& model) {
  return "/v2/models/" + net::path_segment(model) + "/infer";
}

}  // namespace cortex::cli::detail
