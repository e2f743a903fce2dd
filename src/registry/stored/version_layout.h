// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string>
#include <vector>

#include "base/status.h"
#include "registry/stored/mlmodel.h"
#include "registry/stored/source.h"

namespace cortex::registry {

// Which file of the source becomes which file of Cortex's version folder.
struct PlacedFile {
  SourceFile file;
  std::string place;  // inside the version folder
};

// A logged model becomes a version folder: the ONNX file as model.onnx, what lies beside and below
// it (external tensors) under the names that the graph uses, and from the top of the folder
// config.pbtxt, model.yaml and the files of a tokenizer. Without an ONNX flavor its one GGUF file,
// wherever it lies, is model.gguf, and what lies at the top beside it, chat templates (.jinja)
// included, is kept. kFailedPrecondition: it cannot be served here, and why. Pure.
[[nodiscard]] Result<std::vector<PlacedFile>> place_mlflow_files(
    const MlModel& model, std::span<const SourceFile> files
);

// A folder without an MLmodel is a version folder as it is: it must hold a model's file
// (is_model_file), or one GGUF file of another name, which becomes model.gguf.
[[nodiscard]] Result<std::vector<PlacedFile>> place_plain_files(std::span<const SourceFile> files);

// One text for what a version folder was made of: the same text, the same bytes.
[[nodiscard]] std::string manifest_text(
    const std::string& origin, std::span<const PlacedFile> files
);

}  // namespace cortex::registry
