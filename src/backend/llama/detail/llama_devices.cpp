// SPDX-License-Identifier: Apache-2.0
#include "backend/llama/detail/llama_devices.h"

#include <dlfcn.h>

#include <algorithm>
#include <map>
#include <string_view>
#include <system_error>

#include <ggml-backend-impl.h>

namespace cortex::backend {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kDevicesPrefix = "libggml-";

std::string_view kind_of(enum ggml_backend_dev_type type) {
  switch (type) {
    case GGML_BACKEND_DEVICE_TYPE_CPU:
      return "processor";
    case GGML_BACKEND_DEVICE_TYPE_GPU:
      return "gpu";
    case GGML_BACKEND_DEVICE_TYPE_IGPU:
      return "integrated gpu";
    case GGML_BACKEND_DEVICE_TYPE_ACCEL:
      return "accelerator";
    case GGML_BACKEND_DEVICE_TYPE_META:
      break;
  }
  return "other";
}

// "cuda" of libggml-cuda.so and of libggml-cuda-12.so; empty for every other file.
std::string_view device_family(std::string_view file) {
  if (!file.starts_with(kDevicesPrefix) || !file.ends_with(".so")) return {};
  file.remove_prefix(kDevicesPrefix.size());
  return file.substr(0, file.find_first_of("-."));
}

bool is_open(const fs::path& file) {
  void* handle = dlopen(file.c_str(), RTLD_LAZY | RTLD_NOLOAD);
  if (handle != nullptr) dlclose(handle);
  return handle != nullptr;
}

// Asks what ggml asks, in the same order.
std::string why_unused(void* handle) {
  const auto score = reinterpret_cast<ggml_backend_score_t>(dlsym(handle, "ggml_backend_score"));
  if (score != nullptr && score() == 0) return "it does not support this machine";
  const auto init = reinterpret_cast<ggml_backend_init_t>(dlsym(handle, "ggml_backend_init"));
  if (init == nullptr) return "it has no function ggml_backend_init";
  const ggml_backend_reg* found = init();
  if (found == nullptr) return "it could not begin its work";
  if (found->api_version == GGML_BACKEND_API_VERSION) return "libllama looks for none of this name";
  return "it has version " + std::to_string(found->api_version) +
         " of ggml's device functions, libllama has version " +
         std::to_string(GGML_BACKEND_API_VERSION);
}

std::string why_unused(const fs::path& file) {
  void* handle = dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) {
    const char* text = dlerror();
    return text != nullptr ? text : "it cannot be opened";
  }
  std::string out = why_unused(handle);
  dlclose(handle);
  return out;
}

}  // namespace

std::vector<ComputeDevice> list_devices(const LlamaFunctions& api) {
  std::vector<ComputeDevice> out;
  for (std::size_t i = 0; i < api.ggml_backend_dev_count(); ++i) {
    ggml_backend_dev_t device = api.ggml_backend_dev_get(i);
    ComputeDevice& one = out.emplace_back();
    one.name = api.ggml_backend_dev_name(device);
    one.description = api.ggml_backend_dev_description(device);
    one.kind = kind_of(api.ggml_backend_dev_type(device));
    api.ggml_backend_dev_memory(device, &one.memory_free_bytes, &one.memory_bytes);
  }
  return out;
}

std::string devices_text(std::span<const ComputeDevice> devices) {
  std::string out;
  for (const ComputeDevice& device : devices) {
    out.append(out.empty() ? "" : ", ").append(device.name + " (" + device.description + ")");
  }
  return out;
}

std::vector<std::string> unused_device_libraries(const fs::path& folder) {
  std::map<std::string, std::vector<fs::path>, std::less<>> families;
  std::error_code error;
  for (fs::directory_iterator at(folder, error), end; !error && at != end; at.increment(error)) {
    const std::string name = at->path().filename().string();
    const std::string_view family = device_family(name);
    if (family.empty() || family == "base" || family == "cpu") continue;
    families[std::string(family)].push_back(at->path());
  }
  std::vector<std::string> out;
  for (auto& [family, files] : families) {
    if (std::ranges::any_of(files, is_open)) continue;
    std::ranges::sort(files);
    for (const fs::path& file : files) {
      out.push_back(file.filename().string() + ": " + why_unused(file));
    }
  }
  return out;
}

}  // namespace cortex::backend
