// SPDX-License-Identifier: Apache-2.0
#include "backend/testing/onnx_writer.h"

#include <array>
#include <string_view>

namespace cortex::backend::testing {
namespace {

// Wire types of protobuf.
constexpr std::uint64_t kVarint = 0;
constexpr std::uint64_t kBytesField = 2;

// TensorProto.DataType, in the order of our DataType.
constexpr std::array<std::uint64_t, 14> kElementTypes = {
    9, 2, 4, 12, 13, 3, 5, 6, 7, 10, 16, 1, 11, 8
};

// One message under construction.
class Message {
 public:
  Message& integer(std::uint64_t field, std::uint64_t value) {
    varint(field << 3 | kVarint);
    varint(value);
    return *this;
  }
  Message& text(std::uint64_t field, std::string_view value) {
    varint(field << 3 | kBytesField);
    varint(value.size());
    bytes_.append(value);
    return *this;
  }
  Message& message(std::uint64_t field, const Message& value) { return text(field, value.bytes_); }
  [[nodiscard]] std::string take() { return std::move(bytes_); }

 private:
  void varint(std::uint64_t value) {
    for (; value >= 0x80; value >>= 7) bytes_.push_back(static_cast<char>(value | 0x80));
    bytes_.push_back(static_cast<char>(value));
  }
  std::string bytes_;
};

Message graph_message(const OnnxGraph& graph);

std::uint64_t element_type(DataType type) {
  return kElementTypes.at(static_cast<std::size_t>(type));
}

Message tensor_type(const TensorSpec& spec) {
  Message shape;
  for (std::size_t i = 0; i < spec.shape.size(); ++i) {
    Message dimension;
    if (spec.shape[i] >= 0) dimension.integer(1, static_cast<std::uint64_t>(spec.shape[i]));
    if (spec.shape[i] < 0) dimension.text(2, spec.name + "_" + std::to_string(i));
    shape.message(1, dimension);
  }
  return Message().message(1, Message().integer(1, element_type(spec.datatype)).message(2, shape));
}

Message value_info(const TensorSpec& spec) {
  return Message().text(1, spec.name).message(2, tensor_type(spec));
}

Message sequence_info(const std::string& name) {
  const Message element = tensor_type({name, DataType::kFp32, {-1}});
  return Message().text(1, name).message(2, Message().message(4, Message().message(1, element)));
}

Message node_message(const OnnxNode& node) {
  constexpr std::uint64_t kIntAttribute = 2;
  constexpr std::uint64_t kGraphAttribute = 5;
  Message out;
  for (const auto& name : node.inputs) out.text(1, name);
  for (const auto& name : node.outputs) out.text(2, name);
  out.text(4, node.op_type);
  for (const auto& [name, value] : node.integers) {
    Message attribute;
    attribute.text(1, name).integer(3, static_cast<std::uint64_t>(value));
    out.message(5, attribute.integer(20, kIntAttribute));
  }
  for (const auto& [name, graph] : node.graphs) {
    Message attribute;
    attribute.text(1, name).message(6, graph_message(graph)).integer(20, kGraphAttribute);
    out.message(5, attribute);
  }
  if (!node.domain.empty()) out.text(7, node.domain);
  return out;
}

Message constant_message(const OnnxConstant& constant) {
  Message out;
  for (const std::int64_t dimension : constant.shape) {
    out.integer(1, static_cast<std::uint64_t>(dimension));
  }
  return out.integer(2, element_type(constant.datatype))
      .text(8, constant.name)
      .text(9, constant.bytes);
}

Message graph_message(const OnnxGraph& graph) {
  Message out;
  for (const OnnxNode& node : graph.nodes) out.message(1, node_message(node));
  out.text(2, "graph");
  for (const OnnxConstant& constant : graph.constants) out.message(5, constant_message(constant));
  for (const TensorSpec& spec : graph.inputs) out.message(11, value_info(spec));
  for (const std::string& name : graph.sequence_inputs) out.message(11, sequence_info(name));
  for (const TensorSpec& spec : graph.outputs) out.message(12, value_info(spec));
  return out;
}

Message opset(std::string_view domain, std::int64_t version) {
  return Message().text(1, domain).integer(2, static_cast<std::uint64_t>(version));
}

Message function_message(const OnnxFunction& function, std::int64_t version) {
  Message out;
  out.text(1, function.name);
  for (const OnnxNode& node : function.nodes) {
    for (const std::string& name : node.inputs) out.text(4, name);
    for (const std::string& name : node.outputs) out.text(5, name);
    out.message(7, node_message(node));
  }
  return out.message(9, opset("", version)).text(10, function.domain);
}

}  // namespace

std::string serialize(const OnnxModel& model) {
  constexpr std::uint64_t kIrVersion = 8;
  Message out;
  out.integer(1, kIrVersion).text(2, "cortex tests").message(7, graph_message(model.graph));
  out.message(8, opset("", model.opset)).message(8, opset("com.microsoft", 1));
  for (const OnnxFunction& function : model.functions) {
    out.message(8, opset(function.domain, 1)).message(25, function_message(function, model.opset));
  }
  return out.take();
}

}  // namespace cortex::backend::testing
