// SPDX-License-Identifier: Apache-2.0
#include "frontend/codec/oip/infer_reply.h"

#include <algorithm>
#include <cstdint>
#include <string_view>
#include <utility>

#include "base/json_text.h"
#include "frontend/codec/detail/number_text.h"
#include "frontend/codec/oip/classification.h"

namespace cortex::frontend::oip {
namespace {

// What the segments of a reply point into. The lease goes last: it keeps the engine that owns the
// tensors.
struct Sent {
  std::shared_ptr<const void> lease;
  InferOutput output;
};

void append_integer(std::string& out, std::uint64_t value) { out.append(std::to_string(value)); }

void append_booleans(std::string& out, std::span<const std::byte> bytes) {
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (i > 0) out.push_back(',');
    out.append(bytes[i] == std::byte{0} ? "false" : "true");
  }
}

Status no_json_form(const Tensor& tensor, std::string_view what) {
  return invalid_argument(
      "output '" + tensor.name + "' " + std::string(what) +
      ": ask for it as binary data (output parameter 'binary_data')"
  );
}

Status append_strings(std::string& out, const Tensor& tensor) {
  bool first = true;
  for (const std::string_view element : string_elements(tensor)) {
    if (!is_utf8(element)) return no_json_form(tensor, "holds bytes that are not UTF-8");
    if (!first) out.push_back(',');
    append_json_string(out, element);
    first = false;
  }
  return {};
}

Status append_elements(std::string& out, const Tensor& tensor) {
  switch (tensor.datatype) {
    case DataType::kBool:
      append_booleans(out, tensor.bytes);
      return {};
    case DataType::kUint8:
      append_json_elements<std::uint8_t>(out, tensor.bytes);
      return {};
    case DataType::kUint16:
      append_json_elements<std::uint16_t>(out, tensor.bytes);
      return {};
    case DataType::kUint32:
      append_json_elements<std::uint32_t>(out, tensor.bytes);
      return {};
    case DataType::kUint64:
      append_json_elements<std::uint64_t>(out, tensor.bytes);
      return {};
    case DataType::kInt8:
      append_json_elements<std::int8_t>(out, tensor.bytes);
      return {};
    case DataType::kInt16:
      append_json_elements<std::int16_t>(out, tensor.bytes);
      return {};
    case DataType::kInt32:
      append_json_elements<std::int32_t>(out, tensor.bytes);
      return {};
    case DataType::kInt64:
      append_json_elements<std::int64_t>(out, tensor.bytes);
      return {};
    case DataType::kFp32:
      append_json_elements<float>(out, tensor.bytes);
      return {};
    case DataType::kFp64:
      append_json_elements<double>(out, tensor.bytes);
      return {};
    case DataType::kBytes:
      return append_strings(out, tensor);
    case DataType::kFp16:
    case DataType::kBf16:
      break;
  }
  return no_json_form(
      tensor, "is " + std::string(datatype_name(tensor.datatype)) + ", which has no JSON form"
  );
}

void append_shape(std::string& out, const Shape& shape) {
  out.push_back('[');
  for (std::size_t i = 0; i < shape.size(); ++i) {
    if (i > 0) out.push_back(',');
    out.append(std::to_string(shape[i]));
  }
  out.push_back(']');
}

void append_parameter(std::string& out, bool value) { out.append(value ? "true" : "false"); }
void append_parameter(std::string& out, std::int64_t value) { out.append(std::to_string(value)); }
void append_parameter(std::string& out, double value) { append_json_number(out, value); }
void append_parameter(std::string& out, const std::string& value) {
  append_json_string(out, value);
}

void append_parameters(std::string& out, const Parameters& parameters) {
  if (parameters.empty()) return;
  out.append(R"("parameters":{)");
  for (const auto& [name, value] : parameters) {
    if (out.back() != '{') out.push_back(',');
    append_json_string(out, name);
    out.push_back(':');
    std::visit([&](const auto& v) { append_parameter(out, v); }, value);
  }
  out.append("},");
}

// Servables answer in the order that was asked, so the first guess is nearly always right.
const RequestedOutput* request_of(const ReplyPlan& plan, const Tensor& tensor, std::size_t guess) {
  if (guess < plan.outputs.size() && plan.outputs[guess].name == tensor.name) {
    return &plan.outputs[guess];
  }
  const auto found =
      std::find_if(plan.outputs.begin(), plan.outputs.end(), [&](const auto& output) {
        return output.name == tensor.name;
      });
  return found == plan.outputs.end() ? nullptr : &*found;
}

// Writes one answer. Members are the state of that pass.
class ReplyWriter {
 public:
  ReplyWriter(const ReplyPlan& plan, std::shared_ptr<Sent> sent)
      : plan_(plan), sent_(std::move(sent)) {}

  Result<HttpReply> write(const ModelIdentity& served_by);

 private:
  void append_head(const ModelIdentity& served_by);
  Status append_output(Tensor& tensor, std::size_t place);
  void append_binary(const Tensor& tensor);

  const ReplyPlan& plan_;
  const std::shared_ptr<Sent> sent_;
  HttpReply reply_;
  bool any_binary_ = false;
};

Result<HttpReply> ReplyWriter::write(const ModelIdentity& served_by) {
  std::vector<Tensor>& outputs = sent_->output.outputs;
  reply_.body.reserve(160 + 160 * outputs.size());
  append_head(served_by);
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    if (i > 0) reply_.body.push_back(',');
    CORTEX_RETURN_IF_ERROR(append_output(outputs[i], i));
  }
  reply_.body.append("]}");
  if (any_binary_) {
    reply_.content_type = "application/octet-stream";
    reply_.headers.emplace_back(
        "Inference-Header-Content-Length", std::to_string(reply_.body.size())
    );
  }
  return std::move(reply_);
}

void ReplyWriter::append_head(const ModelIdentity& served_by) {
  std::string& out = reply_.body;
  out.push_back('{');
  if (!plan_.id.empty()) {
    out.append(R"("id":)");
    append_json_string(out, plan_.id);
    out.push_back(',');
  }
  out.append(R"("model_name":)");
  append_json_string(out, served_by.name);
  out.append(R"(,"model_version":)");
  append_json_string(out, served_by.version);
  out.push_back(',');
  append_parameters(out, sent_->output.parameters);
  out.append(R"("outputs":[)");
}

Status ReplyWriter::append_output(Tensor& tensor, std::size_t place) {
  const RequestedOutput* asked = request_of(plan_, tensor, place);
  const bool binary =
      asked != nullptr ? asked->binary.value_or(plan_.binary_default) : plan_.binary_default;
  if (asked != nullptr && asked->classes > 0) {
    CORTEX_ASSIGN_OR_RETURN(tensor, classify(tensor, asked->classes, plan_.batched));
  }
  std::string& out = reply_.body;
  out.append(R"({"name":)");
  append_json_string(out, tensor.name);
  out.append(R"(,"datatype":")").append(datatype_name(tensor.datatype)).append(R"(","shape":)");
  append_shape(out, tensor.shape);
  if (binary) {
    append_binary(tensor);
    return {};
  }
  out.append(R"(,"data":[)");
  CORTEX_RETURN_IF_ERROR(append_elements(out, tensor));
  out.append("]}");
  return {};
}

void ReplyWriter::append_binary(const Tensor& tensor) {
  any_binary_ = true;
  reply_.body.append(R"(,"parameters":{"binary_data_size":)");
  append_integer(reply_.body, tensor.bytes.size());
  reply_.body.append("}}");
  if (!tensor.bytes.empty()) reply_.segments.push_back({tensor.bytes, sent_});
}

}  // namespace

Result<HttpReply> write_infer_reply(
    const ReplyPlan& plan,
    const ModelIdentity& served_by,
    InferOutput output,
    std::shared_ptr<const void> lease
) {
  auto sent = std::make_shared<Sent>(Sent{std::move(lease), std::move(output)});
  return ReplyWriter(plan, std::move(sent)).write(served_by);
}

}  // namespace cortex::frontend::oip
