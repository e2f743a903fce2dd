// SPDX-License-Identifier: Apache-2.0
// The input is an MLmodel: whatever it says, it is read or refused with a reason, and no file of it
// gets a place outside of the version folder.
#include <cstdint>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "registry/model_config_reader.h"
#include "registry/stored/mlmodel.h"
#include "registry/stored/version_layout.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto model = cortex::registry::parse_mlmodel({reinterpret_cast<const char*>(data), size});
  if (!model.ok()) {
    CHECK(
        model.status().code() == cortex::Code::kInvalidArgument, "a bad text is its owner's fault"
    );
    CHECK(!model.status().text().empty(), "a refusal has a reason");
    return 0;
  }
  std::vector<cortex::registry::SourceFile> files;
  for (const char* path : {"MLmodel", "model.onnx", "a/b/w", "model.yaml", "code/x.py"}) {
    files.push_back({path, "", 0});
  }
  if (!model->onnx_file.empty()) files.push_back({model->onnx_file, "", 0});
  const auto placed = cortex::registry::place_mlflow_files(*model, files);
  if (!placed.ok()) return 0;
  for (const cortex::registry::PlacedFile& file : *placed)
    CHECK(cortex::registry::is_inner_path(file.place), "files stay inside");
  return 0;
}
