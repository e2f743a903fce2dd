// SPDX-License-Identifier: Apache-2.0
#include "registry/stored/version_layout.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "registry/model_config_reader.h"
#include "registry/model_repository.h"

namespace cortex::registry {
namespace {

constexpr std::string_view kModelFile = "model.onnx";
constexpr std::string_view kGgufFile = "model.gguf";
constexpr auto kTopFiles = std::to_array<std::string_view>(
    {"config.pbtxt",
     "model.yaml",
     "tokenizer.json",
     "tokenizer_config.json",
     "special_tokens_map.json",
     "vocab.txt",
     "config.json"}
);

bool is_top_file(std::string_view path) {
  return std::find(kTopFiles.begin(), kTopFiles.end(), path) != kTopFiles.end();
}

// The one GGUF file among them; empty where there is none, or more than one.
std::string lone_gguf_file(std::span<const SourceFile> files) {
  std::string out;
  for (const SourceFile& file : files) {
    if (!file.path.ends_with(".gguf")) continue;
    if (!out.empty()) return {};
    out = file.path;
  }
  return out;
}

// MLflow's own, of no use to an engine.
bool is_python_file(std::string_view path) {
  return path == "MLmodel" || path == "conda.yaml" || path == "python_env.yaml" ||
         path == "requirements.txt" || path == "input_example.json" ||
         path == "serving_input_example.json" || path.substr(0, 5) == "code/";
}

std::string join(const std::vector<std::string>& words) {
  std::string out;
  for (const std::string& word : words) out += (out.empty() ? "" : ", ") + word;
  return out;
}

// Two files in one place, or a place that leads out, would be a folder that lies.
Result<std::vector<PlacedFile>> checked(std::vector<PlacedFile> files) {
  std::sort(files.begin(), files.end(), [](const PlacedFile& a, const PlacedFile& b) {
    return a.place < b.place;
  });
  for (std::size_t i = 0; i < files.size(); ++i) {
    const std::string& place = files[i].place;
    if (!is_inner_path(place) || place == kManifestFile) {
      return failed_precondition("the file '" + files[i].file.path + "' has no place here");
    }
    if (i > 0 && files[i - 1].place == place) {
      return failed_precondition(
          "'" + files[i - 1].file.path + "' and '" + files[i].file.path + "' would both be '" +
          place + "'"
      );
    }
  }
  return files;
}

Result<std::vector<PlacedFile>> place_logged_gguf(
    const std::string& weights, std::span<const SourceFile> files
) {
  std::vector<PlacedFile> out;
  for (const SourceFile& file : files) {
    const bool at_top = file.path.find('/') == std::string::npos;
    const bool is_template = at_top && file.path.ends_with(".jinja");
    if (file.path == weights) {
      out.push_back({file, std::string(kGgufFile)});
    } else if (is_top_file(file.path) || is_template) {
      out.push_back({file, file.path});
    }
  }
  return checked(std::move(out));
}

}  // namespace

Result<std::vector<PlacedFile>> place_mlflow_files(
    const MlModel& model, std::span<const SourceFile> files
) {
  if (model.onnx_file.empty()) {
    const std::string weights = lone_gguf_file(files);
    if (!weights.empty()) return place_logged_gguf(weights, files);
    return failed_precondition("no ONNX flavor, and not one GGUF file: " + join(model.flavors));
  }
  const auto slash = model.onnx_file.rfind('/');
  const std::string folder = slash == std::string::npos ? "" : model.onnx_file.substr(0, slash + 1);
  std::vector<PlacedFile> out;
  bool found = false;
  for (const SourceFile& file : files) {
    if (file.path == model.onnx_file) {
      found = true;
      out.push_back({file, std::string(kModelFile)});
    } else if (is_top_file(file.path)) {
      out.push_back({file, file.path});
    } else if (file.path.starts_with(folder) && !is_python_file(file.path)) {
      out.push_back({file, file.path.substr(folder.size())});
    }
  }
  if (!found)
    return failed_precondition("MLmodel names '" + model.onnx_file + "', which is missing");
  return checked(std::move(out));
}

Result<std::vector<PlacedFile>> place_plain_files(std::span<const SourceFile> files) {
  const bool named =
      std::ranges::any_of(files, [](const SourceFile& file) { return is_model_file(file.path); });
  const std::string weights = named ? "" : lone_gguf_file(files);
  if (!named && weights.empty()) {
    return failed_precondition("neither MLmodel nor model.onnx nor one GGUF file is in its folder");
  }
  std::vector<PlacedFile> out;
  for (const SourceFile& file : files) {
    out.push_back({file, file.path == weights ? std::string(kGgufFile) : file.path});
  }
  return checked(std::move(out));
}

std::string manifest_text(const std::string& origin, std::span<const PlacedFile> files) {
  std::string out = origin + "\n";
  for (const PlacedFile& placed : files) {
    out += placed.file.digest + " " + std::to_string(placed.file.size) + " " + placed.place + "\n";
  }
  return out;
}

}  // namespace cortex::registry
