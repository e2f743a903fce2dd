// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "backend/sequence_backend.h"
#include "backend/text_engine.h"
#include "base/mutex.h"

namespace cortex::backend {

struct LlamaOptions {
  // The file of libllama; ggml's files lie in the same folder. Empty: it is looked for beside the
  // program (../lib/llama, then its own folder), in the folder that this build took its packages
  // from, then by the name libllama.so.
  std::filesystem::path library;
};

// What the library computes with.
struct ComputeDevice {
  std::string name;         // as it calls it: "CPU", "CUDA0"
  std::string description;  // "NVIDIA H100 PCIe"
  std::string_view kind;    // "processor", "gpu", "integrated gpu", "accelerator", "other"
  std::size_t memory_free_bytes = 0;
  std::size_t memory_bytes = 0;  // 0: it does not say
};

class LlamaLibrary;

// GGUF models through libllama's C API, opened when the first model is loaded: a program without
// the library starts, and without such models it costs nothing. ggml's CPU code is chosen for the
// processor then; libraries of other devices that lie in the folder are used, too, and a model's
// layers go where there is a GPU unless gpu_layers says otherwise.
//
// All sequences of a model share one memory of `cells` cells (unified), so that prefixes are held
// once. Without a number it takes about half a gigabyte.
//
// Parameters of a model: flash_attention (auto, on, off), cell_attention (1, 0: with f16 cells and
// flash attention, Cortex' own attention on the processor in place of the library's), cache_type_k
// and cache_type_v (f16, bf16, f32, q8_0, q5_1, q5_0, q4_1, q4_0), gpu_layers (-1: all), mmap (1,
// 0), step_rows (256 to 4096, 512 unless said otherwise: the most rows of one step).
//
// load_text() makes a model for texts of a file: one that was trained for it (BERT and its kin, or
// with a pooling of its own), or any other whose states are pooled. A text is computed in one
// piece, and short ones share steps of step_rows tokens. Without a number a text has as many tokens
// as half a gigabyte of numbers allows that the library keeps for each (one for each token of the
// vocabulary), 512 at least, never more than the model was trained for. Parameters are the same;
// flash_attention off computes the attention in whole precision.
//
// A file that is none is a Status; one that makes the library abort takes the process along, which
// is what probation is for.
// Thread-safe.
class LlamaEngine final : public SequenceEngine, public TextEngine {
 public:
  explicit LlamaEngine(LlamaOptions options = {});
  ~LlamaEngine() override;

  // Opens the library where that was not tried yet: why there is none, OK when there is one.
  [[nodiscard]] Status open();
  // The file that was opened; empty before, and without one.
  [[nodiscard]] std::string library() const;
  // As they are now, the processor and what ggml's libraries in the folder found; and those of the
  // libraries that are not used, with the reason. Empty before the library is opened.
  [[nodiscard]] std::vector<ComputeDevice> devices() const;
  [[nodiscard]] std::vector<std::string> unused_device_libraries() const;

  [[nodiscard]] std::string_view name() const override { return "llama"; }
  [[nodiscard]] std::string_view platform() const override { return "llama_gguf"; }
  [[nodiscard]] std::string version() const override;
  [[nodiscard]] std::string_view default_filename() const override { return "model.gguf"; }
  [[nodiscard]] Result<std::unique_ptr<SequenceBackend>> load(const SequenceBackendOptions& options
  ) override;
  [[nodiscard]] Result<bool> takes_texts_alone(const std::filesystem::path& file) override;
  [[nodiscard]] Result<TextModel> load_text(const TextModelOptions& options) override;

 private:
  [[nodiscard]] std::shared_ptr<const LlamaLibrary> opened() const;

  const LlamaOptions options_;
  mutable Mutex mutex_;  // loaders meet here, once
  bool tried_ GUARDED_BY(mutex_) = false;
  Status status_ GUARDED_BY(mutex_);
  std::shared_ptr<const LlamaLibrary> library_ GUARDED_BY(mutex_);
};

}  // namespace cortex::backend
