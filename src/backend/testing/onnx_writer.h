// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "request/signature.h"

namespace cortex::backend::testing {

// Small ONNX models as bytes, so that no model file is committed. Knows what tests need of the
// format and no more.

struct OnnxBody;

struct OnnxNode {
  std::string op_type;
  std::vector<std::string> inputs;
  std::vector<std::string> outputs;
  std::vector<std::pair<std::string, std::int64_t>> integers;  // attributes
  std::vector<OnnxBody> graphs;                                // attributes: bodies of If, Loop
  std::string domain;
};

struct OnnxConstant {
  std::string name;
  DataType datatype = DataType::kFp32;
  Shape shape;
  std::string bytes;  // little-endian elements
};

struct OnnxGraph {
  std::vector<OnnxNode> nodes;
  std::vector<OnnxConstant> constants;
  std::vector<TensorSpec> inputs;  // a dimension of -1 becomes a symbol of its own
  std::vector<TensorSpec> outputs;
  std::vector<std::string> sequence_inputs;  // of FP32 tensors
};

struct OnnxBody {
  std::string attribute;
  OnnxGraph graph;
};

struct OnnxFunction {
  std::string domain;
  std::string name;
  std::vector<OnnxNode> nodes;
};

struct OnnxModel {
  OnnxGraph graph;
  std::int64_t opset = 17;
  std::vector<OnnxFunction> functions;
};

// The bytes of a model file.
[[nodiscard]] std::string serialize(const OnnxModel& model);

}  // namespace cortex::backend::testing
