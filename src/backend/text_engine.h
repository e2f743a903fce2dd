// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "backend/tensor_backend.h"
#include "base/status.h"
#include "request/model_config.h"
#include "request/model_facts.h"
#include "text/tokenizer.h"

namespace cortex::backend {

// One loaded version of a model whose file holds its tokenizer, too, and which pools by itself.
struct TextModel {
  // input_ids and attention_mask, INT64 [batch, length]; out comes one of
  //   sentence_embedding  FP32 [batch, width]
  //   logits              FP32 [batch, 1], with pooling `rank`
  std::unique_ptr<TensorBackend> backend;
  std::shared_ptr<const text::Tokenizer> tokenizer;
  std::size_t context_length = 0;  // tokens
  WeightFacts weights;
};

struct TextModelOptions {
  std::filesystem::path model_file;               // in the version folder
  std::string model_name;                         // for messages
  std::size_t threads = 1;                        // of one run, from the core budget
  std::optional<Pooling> pooling;                 // nothing: the file's own
  std::size_t context_length = 0;                 // 0: the model's own
  std::size_t batch_size_max = 1;                 // rows of one run
  std::map<std::string, std::string> parameters;  // the model configuration's
};

// An engine for such models. Made once per process by app. Thread-safe.
class TextEngine {
 public:
  virtual ~TextEngine() = default;

  [[nodiscard]] virtual std::string_view platform() const = 0;  // as clients see it: "llama_gguf"

  // Whether the file is a model for texts alone: it says how it pools, or has an encoder and
  // nothing that goes on with a text. Reads its head only. Errors as load().
  [[nodiscard]] virtual Result<bool> takes_texts_alone(const std::filesystem::path& file) = 0;
  // A file that cannot be served is kInvalidArgument or kFailedPrecondition with a text that names
  // the cause for its owner.
  [[nodiscard]] virtual Result<TextModel> load_text(const TextModelOptions& options) = 0;
};

}  // namespace cortex::backend
