// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <onnxruntime_c_api.h>

#include <filesystem>
#include <memory>
#include <string>

#include "base/status.h"

namespace cortex::backend {

// Objects of the library are released through its function table.
template <typename T>
using OrtOwned = std::unique_ptr<T, void (*)(T*)>;

// What the library said went wrong.
struct OrtFailure {
  OrtErrorCode code = ORT_OK;
  std::string text;
  [[nodiscard]] bool failed() const { return code != ORT_OK; }
};

// The opened library with the process's one environment. It stays open until the process ends:
// outputs of its models may live longer than everything else here. Immutable, thread-safe.
class OrtLibrary {
 public:
  // `configured` empty: the places named in onnx_engine.h. kFailedPrecondition with all that was
  // tried.
  [[nodiscard]] static Result<std::shared_ptr<const OrtLibrary>> open(
      const std::filesystem::path& configured
  );
  OrtLibrary(const OrtLibrary&) = delete;
  OrtLibrary& operator=(const OrtLibrary&) = delete;
  ~OrtLibrary();

  [[nodiscard]] const OrtApi& api() const { return *api_; }
  [[nodiscard]] OrtEnv* environment() const { return environment_; }
  [[nodiscard]] const OrtMemoryInfo* memory() const { return memory_; }
  [[nodiscard]] OrtAllocator* allocator() const { return allocator_; }
  [[nodiscard]] bool shares_arena() const { return shares_arena_; }
  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] const std::string& version() const { return version_; }

  // Takes and releases `status`; null is success.
  [[nodiscard]] OrtFailure take(OrtStatus* status) const;

 private:
  OrtLibrary() = default;
  [[nodiscard]] Status prepare();
  [[nodiscard]] OrtFailure share_arena();

  std::string path_;
  std::string version_;
  const OrtApi* api_ = nullptr;
  OrtEnv* environment_ = nullptr;
  OrtMemoryInfo* memory_ = nullptr;
  OrtAllocator* allocator_ = nullptr;  // the library's own, for strings
  bool shares_arena_ = false;
};

}  // namespace cortex::backend
