// SPDX-License-Identifier: Apache-2.0
#include "backend/llama/llama_engine.h"

#include <system_error>
#include <utility>

#include "backend/llama/detail/gguf_head.h"
#include "backend/llama/detail/llama_backend.h"
#include "backend/llama/detail/llama_devices.h"
#include "backend/llama/detail/llama_library.h"
#include "backend/llama/detail/llama_text_backend.h"

namespace cortex::backend {

LlamaEngine::LlamaEngine(LlamaOptions options) : options_(std::move(options)) {}

LlamaEngine::~LlamaEngine() = default;

Status LlamaEngine::open() {
  MutexLock lock(mutex_);
  if (!std::exchange(tried_, true)) {
    auto opened = LlamaLibrary::open(options_.library);
    if (opened.ok()) library_ = std::move(*opened);
    status_ = opened.status();
  }
  return status_;
}

std::shared_ptr<const LlamaLibrary> LlamaEngine::opened() const {
  MutexLock lock(mutex_);
  return library_;
}

std::string LlamaEngine::library() const {
  const auto library = opened();
  return library ? library->path() : std::string();
}

std::vector<ComputeDevice> LlamaEngine::devices() const {
  const auto library = opened();
  return library ? list_devices(library->api()) : std::vector<ComputeDevice>();
}

std::vector<std::string> LlamaEngine::unused_device_libraries() const {
  const auto library = opened();
  return library ? library->unused() : std::vector<std::string>();
}

std::string LlamaEngine::version() const {
  const auto library = opened();
  return library ? library->version() : std::string();
}

Result<std::unique_ptr<SequenceBackend>> LlamaEngine::load(const SequenceBackendOptions& options) {
  CORTEX_RETURN_IF_ERROR(open());
  std::error_code error;
  if (!std::filesystem::is_regular_file(options.model_file, error)) {
    return failed_precondition(
        "model '" + options.model_name + "': there is no file " +
        options.model_file.filename().string()
    );
  }
  return LlamaBackend::load(opened(), options);
}

Result<bool> LlamaEngine::takes_texts_alone(const std::filesystem::path& file) {
  CORTEX_RETURN_IF_ERROR(open());
  CORTEX_ASSIGN_OR_RETURN(const GgufHead head, read_gguf_head(opened()->api(), file));
  return head.takes_texts_alone();
}

Result<TextModel> LlamaEngine::load_text(const TextModelOptions& options) {
  CORTEX_RETURN_IF_ERROR(open());
  return LlamaTextBackend::load(opened(), options);
}

}  // namespace cortex::backend
