// SPDX-License-Identifier: Apache-2.0
#include "backend/testing/sample_models.h"

#include <cctype>
#include <cstring>
#include <fstream>

#include "backend/testing/onnx_writer.h"
#include "base/check.h"

namespace cortex::backend::testing {
namespace {

constexpr std::size_t kSampleVocabulary = 1000;
constexpr std::size_t kSampleWidth = 16;

std::string lower(std::string_view text) {
  std::string out;
  for (const char c : text) {
    out.push_back(static_cast<char>(std::tolower(static_cast<unsigned char>(c))));
  }
  return out;
}

OnnxModel sum_and_difference(DataType datatype, const Shape& shape) {
  OnnxModel model;
  model.graph.nodes = {
      {"Add", {"INPUT0", "INPUT1"}, {"OUTPUT0"}, {}, {}, {}},
      {"Sub", {"INPUT0", "INPUT1"}, {"OUTPUT1"}, {}, {}, {}},
  };
  model.graph.inputs = {{"INPUT0", datatype, shape}, {"INPUT1", datatype, shape}};
  model.graph.outputs = {{"OUTPUT0", datatype, shape}, {"OUTPUT1", datatype, shape}};
  return model;
}

// Values between -1 and 1 that look random and are the same everywhere.
std::string table_bytes(std::size_t count) {
  std::string out(count * sizeof(float), '\0');
  std::uint32_t state = 1;
  for (std::size_t i = 0; i < count; ++i) {
    state = state * 1664525u + 1013904223u;
    const float value = static_cast<float>(state >> 8) / static_cast<float>(1u << 23) - 1.0f;
    std::memcpy(out.data() + i * sizeof(float), &value, sizeof(float));
  }
  return out;
}

void write_model(
    const std::filesystem::path& folder, const std::string& bytes, std::string_view yaml
) {
  write_file(folder / "1" / "model.onnx", bytes);
  if (!yaml.empty()) write_file(folder / "model.yaml", std::string(yaml));
}

}  // namespace

std::string identity_model(DataType datatype, const Shape& shape) {
  OnnxModel model;
  model.graph.nodes = {{"Identity", {"INPUT0"}, {"OUTPUT0"}, {}, {}, {}}};
  model.graph.inputs = {{"INPUT0", datatype, shape}};
  model.graph.outputs = {{"OUTPUT0", datatype, shape}};
  return serialize(model);
}

std::string add_sub_model() { return serialize(sum_and_difference(DataType::kFp32, {-1, -1})); }

std::string simple_model() { return serialize(sum_and_difference(DataType::kInt32, {-1, 16})); }

std::string dynamic_quantization_model() {
  OnnxModel model;
  model.graph.nodes = {
      {"DynamicQuantizeLinear", {"INPUT0"}, {"quantized", "scale", "zero"}, {}, {}, {}},
      {"DequantizeLinear", {"quantized", "scale", "zero"}, {"OUTPUT0"}, {}, {}, {}},
  };
  model.graph.inputs = {{"INPUT0", DataType::kFp32, {-1, 4}}};
  model.graph.outputs = {{"OUTPUT0", DataType::kFp32, {-1, 4}}};
  return serialize(model);
}

std::string token_table_model(std::size_t vocabulary, std::size_t width) {
  const auto rows = static_cast<std::int64_t>(vocabulary);
  const auto columns = static_cast<std::int64_t>(width);
  OnnxModel model;
  model.graph.nodes = {{"Gather", {"table", "input_ids"}, {"last_hidden_state"}, {}, {}, {}}};
  model.graph.constants = {
      {"table", DataType::kFp32, {rows, columns}, table_bytes(vocabulary * width)}
  };
  model.graph.inputs = {
      {"input_ids", DataType::kInt64, {-1, -1}}, {"attention_mask", DataType::kInt64, {-1, -1}}
  };
  model.graph.outputs = {{"last_hidden_state", DataType::kFp32, {-1, -1, columns}}};
  return serialize(model);
}

void write_file(const std::filesystem::path& file, const std::string& bytes) {
  std::filesystem::create_directories(file.parent_path());
  std::ofstream out(file, std::ios::binary);
  out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  out.close();
  CHECK(out.good(), "cannot write a test model");
}

void write_repository(const std::filesystem::path& folder) {
  for (int i = 0; i <= static_cast<int>(DataType::kBytes); ++i) {
    const auto type = static_cast<DataType>(i);
    const std::string name = type == DataType::kBytes ? "string" : lower(datatype_name(type));
    write_model(
        folder / ("identity_" + name), identity_model(type, {-1, 16}), "max_batch_size: 64\n"
    );
  }
  write_model(folder / "add_sub", add_sub_model(), "max_batch_size: 64\n");
  write_model(folder / "simple", simple_model(), "max_batch_size: 8\n");
  write_model(
      folder / "token_table",
      token_table_model(kSampleVocabulary, kSampleWidth),
      "max_batch_size: 32\n"
  );
}

}  // namespace cortex::backend::testing
