// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "backend/tensor_backend.h"

namespace cortex::backend {

struct OnnxOptions {
  // The library's file. Empty: it is looked for beside the program (../lib, then its own folder),
  // in the folder that this build took its packages from, then by the names libonnxruntime.so.1 and
  // libonnxruntime.so.
  std::filesystem::path library;
};

class OrtLibrary;

// ONNX Runtime, opened at run time through its C API: any release from API level 17 (1.17) on. A
// program without the library starts; loading a model then fails with the reason.
//
// Backends and outputs may outlive the engine.
// Parameters of a model, named as Triton's: intra_op_thread_count (overrides the budget's threads),
// execution_mode (0 sequential, 1 parallel), inter_op_thread_count, graph_optimization_level
// (disable, basic, extended, all), enable_mem_arena (1: keep memory between runs, in one arena that
// all such sessions share; else the process's own allocator serves), enable_mem_pattern (1: for
// models whose shapes never vary), memory.enable_memory_arena_shrinkage
// ("cpu:0"), and every "session.…" and "optimization.…" key of the library itself.
// Thread-safe.
class OnnxEngine final : public TensorEngine {
 public:
  explicit OnnxEngine(const OnnxOptions& options = {});
  ~OnnxEngine() override;

  // Why there is no library; OK when there is one.
  [[nodiscard]] const Status& status() const { return status_; }
  // The file that was opened; empty without one.
  [[nodiscard]] std::string library() const;

  [[nodiscard]] std::string_view name() const override { return "onnx"; }
  [[nodiscard]] std::string_view platform() const override { return "onnxruntime_onnx"; }
  [[nodiscard]] std::string version() const override;
  [[nodiscard]] std::string_view default_filename() const override { return "model.onnx"; }
  [[nodiscard]] Result<std::unique_ptr<TensorBackend>> load(const TensorBackendOptions& options
  ) override;

 private:
  std::shared_ptr<const OrtLibrary> library_;
  Status status_;
};

}  // namespace cortex::backend
