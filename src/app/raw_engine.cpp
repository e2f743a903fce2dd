// SPDX-License-Identifier: Apache-2.0
#include "app/raw_engine.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "backend/onnx/onnx_engine.h"

namespace cortex::app {
namespace {

class RawOnnx final : public cli::RawEngine {
 public:
  RawOnnx(
      std::unique_ptr<backend::OnnxEngine> engine,
      std::unique_ptr<backend::TensorBackend> backend,
      std::vector<backend::TensorRun> runs
  )
      : engine_(std::move(engine)), backend_(std::move(backend)), runs_(std::move(runs)) {}

  Status run(std::size_t index) override {
    std::vector<Tensor> outputs;
    return backend_->run(runs_[index % runs_.size()], outputs);
  }

 private:
  std::unique_ptr<backend::OnnxEngine> engine_;
  std::unique_ptr<backend::TensorBackend> backend_;
  std::vector<backend::TensorRun> runs_;
};

Result<Tensor> to_tensor(const cli::TensorValue& value) {
  const auto type = parse_datatype(value.datatype);
  if (!type) return invalid_argument("'" + value.datatype + "' is no datatype");
  if (*type == DataType::kBytes) return unimplemented("texts are not compared with the engine");
  std::span<std::byte> bytes;
  CORTEX_ASSIGN_OR_RETURN(Tensor tensor, make_tensor(value.name, *type, value.shape, bytes));
  if (bytes.size() != value.bytes.size())
    return invalid_argument("'" + value.name + "' has another size");
  std::copy_n(reinterpret_cast<const std::byte*>(value.bytes.data()), bytes.size(), bytes.begin());
  return tensor;
}

}  // namespace

Result<std::unique_ptr<cli::RawEngine>> open_raw_engine(cli::RawEngineOptions options) {
  auto engine = std::make_unique<backend::OnnxEngine>(backend::OnnxOptions{options.library});
  backend::TensorBackendOptions load;
  load.model_file = options.model_file;
  load.model_name = "engine";
  load.threads = options.threads;
  CORTEX_ASSIGN_OR_RETURN(auto loaded, engine->load(load));
  std::vector<backend::TensorRun> runs;
  for (const auto& inputs : options.inputs) {
    backend::TensorRun run;
    for (const cli::TensorValue& value : inputs) {
      CORTEX_ASSIGN_OR_RETURN(Tensor tensor, to_tensor(value));
      run.inputs.push_back(std::move(tensor));
    }
    runs.push_back(std::move(run));
  }
  return std::unique_ptr<cli::RawEngine>(
      std::make_unique<RawOnnx>(std::move(engine), std::move(loaded), std::move(runs))
  );
}

}  // namespace cortex::app
