// SPDX-License-Identifier: Apache-2.0
#include "backend/onnx/onnx_engine.h"

#include <system_error>
#include <utility>

#include "backend/onnx/detail/onnx_backend.h"
#include "backend/onnx/detail/ort_library.h"
#include "backend/onnx/graph_scan.h"
#include "base/log.h"

namespace cortex::backend {
namespace {

// An answer that depends on its neighbours is worse than a batch that is not made: what cannot be
// read counts as such.
bool batch_changes_answers(const TensorBackendOptions& options) {
  const Result<bool> found = quantizes_dynamically(options.model_file);
  if (found.ok()) return *found;
  log::warning(
      "the model's graph cannot be scanned for dynamic quantisation; its requests are not batched",
      {{"model", options.model_name}, {"reason", found.status().text()}}
  );
  return true;
}

}  // namespace

OnnxEngine::OnnxEngine(const OnnxOptions& options) {
  auto opened = OrtLibrary::open(options.library);
  if (opened.ok()) library_ = std::move(*opened);
  status_ = opened.status();
}

OnnxEngine::~OnnxEngine() = default;

std::string OnnxEngine::library() const { return library_ ? library_->path() : std::string(); }

std::string OnnxEngine::version() const { return library_ ? library_->version() : std::string(); }

Result<std::unique_ptr<TensorBackend>> OnnxEngine::load(const TensorBackendOptions& options) {
  if (!library_) return status_;
  std::error_code error;
  if (!std::filesystem::is_regular_file(options.model_file, error)) {
    return failed_precondition(
        "model '" + options.model_name + "': there is no file " +
        options.model_file.filename().string()
    );
  }
  CORTEX_ASSIGN_OR_RETURN(auto backend, OnnxBackend::load(library_, options));
  backend->set_batch_changes_answers(batch_changes_answers(options));
  return std::unique_ptr<TensorBackend>(std::move(backend));
}

}  // namespace cortex::backend
