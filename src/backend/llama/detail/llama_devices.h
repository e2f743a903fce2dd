// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "backend/llama/detail/llama_library.h"
#include "backend/llama/llama_engine.h"

namespace cortex::backend {

// What ggml's libraries found on this machine, with the memory that is free now.
[[nodiscard]] std::vector<ComputeDevice> list_devices(const LlamaFunctions& api);

// For the log: "CPU (AMD EPYC), CUDA0 (NVIDIA H100)".
[[nodiscard]] std::string devices_text(std::span<const ComputeDevice> devices);

// Libraries of devices in a folder (libggml-NAME.so and libggml-NAME-VARIANT.so but those of the
// processor) of which ggml has opened no variant, each with the reason, which ggml itself keeps to
// itself: "libggml-cuda.so: libcuda.so.1: cannot open shared object file: …". To be called when
// ggml has opened what it takes.
[[nodiscard]] std::vector<std::string> unused_device_libraries(const std::filesystem::path& folder);

}  // namespace cortex::backend
