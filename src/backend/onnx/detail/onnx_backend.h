// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "backend/onnx/detail/ort_library.h"
#include "backend/onnx/detail/session_settings.h"
#include "backend/tensor_backend.h"

namespace cortex::backend {

// One session. Thread-safe as TensorBackend asks: the library's sessions are, and nothing else
// changes after load.
class OnnxBackend final : public TensorBackend {
 public:
  [[nodiscard]] static Result<std::unique_ptr<OnnxBackend>> load(
      std::shared_ptr<const OrtLibrary> library, const TensorBackendOptions& options
  );
  void set_batch_changes_answers(bool yes) { signature_.batch_changes_answers = yes; }

  [[nodiscard]] const ModelSignature& signature() const override { return signature_; }
  [[nodiscard]] Status run(const TensorRun& run, std::vector<Tensor>& outputs) override;

 private:
  explicit OnnxBackend(std::shared_ptr<const OrtLibrary> library);
  [[nodiscard]] OrtFailure open_session(
      const std::filesystem::path& file, const SessionSettings& settings
  );
  [[nodiscard]] OrtFailure prepare_runs(const SessionSettings& settings);
  [[nodiscard]] Status run_session(const TensorRun& run, std::vector<Tensor>& outputs);
  [[nodiscard]] Status make_inputs(
      const TensorRun& run,
      std::vector<OrtValue*>& values,
      std::vector<std::shared_ptr<const void>>& kept
  ) const;
  [[nodiscard]] Status choose_outputs(const TensorRun& run, std::vector<const char*>& names) const;

  std::shared_ptr<const OrtLibrary> library_;
  OrtOwned<OrtSession> session_;
  OrtOwned<OrtRunOptions> run_options_;
  ModelSignature signature_;
  std::vector<const char*> input_names_;  // into signature_, in its order
  std::vector<const char*> output_names_;
};

}  // namespace cortex::backend
