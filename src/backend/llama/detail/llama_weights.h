// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <llama.h>

#include <filesystem>
#include <memory>
#include <string>

#include "backend/llama/detail/llama_library.h"
#include "backend/llama/detail/llama_settings.h"
#include "base/mutex.h"
#include "base/status.h"

namespace cortex::backend {

// The weights of a model's file; contexts, tokenizers and adapters hold them.
class LlamaWeights {
 public:
  // The error names model and file, and carries what the library said of it.
  [[nodiscard]] static Result<std::shared_ptr<LlamaWeights>> load(
      std::shared_ptr<const LlamaLibrary> library,
      const std::filesystem::path& file,
      const std::string& model_name,
      const LlamaSettings& settings
  );
  LlamaWeights(std::shared_ptr<const LlamaLibrary> library, llama_model* model)
      : library_(std::move(library)), model_(model) {}
  LlamaWeights(const LlamaWeights&) = delete;
  LlamaWeights& operator=(const LlamaWeights&) = delete;
  ~LlamaWeights() { api().llama_model_free(model_); }

  [[nodiscard]] const LlamaFunctions& api() const { return library_->api(); }
  [[nodiscard]] llama_model* model() const { return model_; }
  // One value of the file's facts; empty: not there.
  [[nodiscard]] std::string fact(const std::string& key) const;
  // The library keeps a list of a model's adapters, which it changes without a lock.
  [[nodiscard]] Mutex& adapters() { return adapters_; }

 private:
  const std::shared_ptr<const LlamaLibrary> library_;
  llama_model* const model_;
  Mutex adapters_;
};

}  // namespace cortex::backend
