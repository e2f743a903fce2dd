// SPDX-License-Identifier: Apache-2.0
#include "backend/llama/detail/llama_weights.h"

#include <array>
#include <exception>
#include <utility>

namespace cortex::backend {

Result<std::shared_ptr<LlamaWeights>> LlamaWeights::load(
    std::shared_ptr<const LlamaLibrary> library,
    const std::filesystem::path& file,
    const std::string& model_name,
    const LlamaSettings& settings
) {
  const LlamaFunctions& api = library->api();
  llama_model_params parameters = api.llama_model_default_params();
  parameters.n_gpu_layers = settings.gpu_layers;
  parameters.load_mode = settings.mmap ? LLAMA_LOAD_MODE_MMAP : LLAMA_LOAD_MODE_NONE;
  const LlamaErrors errors;
  llama_model* model = nullptr;
  std::string why;
  try {
    model = api.llama_model_load_from_file(file.c_str(), parameters);
    why = errors.first();
  } catch (const std::exception& error) {
    why = error.what();
  }
  if (model != nullptr) return std::make_shared<LlamaWeights>(std::move(library), model);
  return invalid_argument(
      "model '" + model_name + "': " + file.filename().string() + ": " +
      (why.empty() ? "the library gave no reason" : why)
  );
}

std::string LlamaWeights::fact(const std::string& key) const {
  std::array<char, 256> text{};
  const std::int32_t length =
      api().llama_model_meta_val_str(model_, key.c_str(), text.data(), text.size());
  return length < 0 ? std::string() : std::string(text.data());
}

}  // namespace cortex::backend
