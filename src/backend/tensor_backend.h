// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "request/signature.h"
#include "request/tensor.h"

namespace cortex::backend {

// One run of a loaded model.
struct TensorRun {
  std::vector<Tensor>
      inputs;  // complete, validated against the signature, batch dimension included
  std::vector<std::string> outputs;  // names; empty: all, in the order of the signature
  const std::atomic<bool>* cancel =
      nullptr;  // set by another thread: the engine may end early with kCancelled
};

// One loaded version of a tensor model behind its engine. Tensors go in and out once; no state
// between runs.
class TensorBackend {
 public:
  virtual ~TensorBackend() = default;

  [[nodiscard]] virtual const ModelSignature& signature() const = 0;

  // Runs one batch and fills `outputs` in the order that was asked. Input bytes are used in place
  // where they are aligned for their type; outputs own their bytes and are not touched again by the
  // engine. Blocks the calling lane thread; may be called by several lane threads at once. Engine
  // exceptions and errors come back as a Status: kInvalidArgument when the inputs are at fault,
  // kInternal otherwise, with the engine's text as detail.
  [[nodiscard]] virtual Status run(const TensorRun& run, std::vector<Tensor>& outputs) = 0;
};

// What to load and how.
struct TensorBackendOptions {
  std::filesystem::path model_file;               // in the version folder
  std::string model_name;                         // for messages
  std::size_t threads = 1;                        // of one run, from the core budget
  std::map<std::string, std::string> parameters;  // the model configuration's
};

// An engine. Made once per process by app. Thread-safe.
class TensorEngine {
 public:
  virtual ~TensorEngine() = default;

  [[nodiscard]] virtual std::string_view name() const = 0;  // "onnx"
  [[nodiscard]] virtual std::string_view platform(
  ) const = 0;  // as clients see it: "onnxruntime_onnx"
  [[nodiscard]] virtual std::string version(
  ) const = 0;  // of the engine's library; empty before it is opened
  [[nodiscard]] virtual std::string_view default_filename() const = 0;  // "model.onnx"

  // Reads and prepares the model; takes from milliseconds to minutes. A file that cannot be served
  // is kInvalidArgument or kFailedPrecondition with a text that names the cause for its owner.
  [[nodiscard]] virtual Result<std::unique_ptr<TensorBackend>> load(
      const TensorBackendOptions& options
  ) = 0;
};

}  // namespace cortex::backend
