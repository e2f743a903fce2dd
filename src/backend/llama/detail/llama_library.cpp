// SPDX-License-Identifier: Apache-2.0
#include "backend/llama/detail/llama_library.h"

#include <dlfcn.h>

#include <string_view>
#include <system_error>
#include <vector>

#include "backend/llama/detail/llama_devices.h"
#include "backend/llama/detail/own_operations.h"
#include "base/log.h"

namespace cortex::backend {
namespace {

// Structures are passed by value and change between releases: the library must be the headers' own.
constexpr std::string_view kLlamaRelease = "0.5.0";
constexpr const char* kLlamaFile = "libllama.so";

std::vector<std::string> llama_places() {
  std::vector<std::string> out;
  std::error_code error;
  const auto program = std::filesystem::read_symlink("/proc/self/exe", error);
  if (!error) {
    out.push_back((program.parent_path().parent_path() / "lib" / "llama" / kLlamaFile).string());
    out.push_back((program.parent_path() / kLlamaFile).string());
  }
  out.push_back(std::string(CORTEX_DEPS_LIB) + "/llama/" + kLlamaFile);
  out.emplace_back(kLlamaFile);
  return out;
}

// The folder of an opened library: ggml looks for its devices there.
std::string folder_of(void* function, const std::string& otherwise) {
  Dl_info info{};
  const bool found = dladdr(function, &info) != 0 && info.dli_fname != nullptr;
  return std::filesystem::path(found ? info.dli_fname : otherwise).parent_path().string();
}

bool same_release(std::string_view version) {
  if (!version.empty() && version.front() == 'v') version.remove_prefix(1);
  if (!version.starts_with(kLlamaRelease)) return false;
  version.remove_prefix(kLlamaRelease.size());
  return version.empty() || version.front() == '-' || version.front() == '+';
}

template <typename Function>
bool find_function(void* handle, const char* name, Function& out, std::string& missing) {
  out = reinterpret_cast<Function>(dlsym(handle, name));
  if (out == nullptr && missing.empty()) missing = name;
  return out != nullptr;
}

thread_local LlamaErrors* listening = nullptr;
// The library writes lines in pieces.
thread_local std::string unfinished_line;
thread_local ggml_log_level line_level = GGML_LOG_LEVEL_NONE;

constexpr std::size_t kLineBytesMax = 4096;

}  // namespace

LlamaErrors::LlamaErrors() { listening = this; }

LlamaErrors::~LlamaErrors() { listening = nullptr; }

// What somebody listens for ends in his Status, and need not stand in the log twice.
void write_llama_log(ggml_log_level level, const char* text, void* /*unused*/) {
  if (level != GGML_LOG_LEVEL_CONT) line_level = level;
  const bool error = line_level == GGML_LOG_LEVEL_ERROR;
  const bool heard = error && listening != nullptr;
  const log::Level ours = error && !heard ? log::Level::kWarning : log::Level::kDebug;
  if (!heard && !log::enabled(ours)) return;
  unfinished_line += text;
  if (unfinished_line.size() < kLineBytesMax && !unfinished_line.ends_with('\n')) return;
  std::string line = std::exchange(unfinished_line, {});
  while (line.ends_with('\n')) line.pop_back();
  if (line.empty()) return;
  log::write(ours, line, {{"engine", "llama"}});
  if (!heard || !listening->first_.empty()) return;
  const std::size_t colon = line.find(": ");
  const bool named = colon != std::string::npos && line.find(' ') > colon;
  listening->first_ = named ? line.substr(colon + 2) : line;
}

Result<std::shared_ptr<const LlamaLibrary>> LlamaLibrary::open(
    const std::filesystem::path& configured
) {
  std::string why;
  std::shared_ptr<LlamaLibrary> out(new LlamaLibrary());
  const auto candidates =
      configured.empty() ? llama_places() : std::vector<std::string>{configured.string()};
  for (const std::string& path : candidates) {
    // Local: nothing of it may meet another library's names.
    void* handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (handle == nullptr) {
      const char* text = dlerror();
      why.append(why.empty() ? "" : "; ").append(text != nullptr ? text : path.c_str());
      continue;
    }
    out->path_ = path;
    CORTEX_RETURN_IF_ERROR(out->prepare(handle));
    return std::shared_ptr<const LlamaLibrary>(std::move(out));
  }
  return failed_precondition("libllama cannot be opened: " + why);
}

Status LlamaLibrary::prepare(void* handle) {
  std::string missing;
#define CORTEX_LLAMA_FIND(name) find_function(handle, #name, api_.name, missing);
  CORTEX_LLAMA_FUNCTIONS(CORTEX_LLAMA_FIND)
#undef CORTEX_LLAMA_FIND
  if (api_.llama_version != nullptr) version_ = api_.llama_version();
  if (!same_release(version_)) {
    return failed_precondition(
        path_ + ": libllama is of release '" + version_ + "', this program needs " +
        std::string(kLlamaRelease)
    );
  }
  if (!missing.empty()) return failed_precondition(path_ + ": there is no function " + missing);
  api_.llama_log_set(write_llama_log, nullptr);
  const std::string folder = folder_of(reinterpret_cast<void*>(api_.llama_version), path_);
  api_.ggml_backend_load_all_from_path(folder.c_str());
  api_.llama_backend_init();
  ggml_backend_dev_t cpu = api_.ggml_backend_dev_by_type(GGML_BACKEND_DEVICE_TYPE_CPU);
  if (cpu == nullptr) {
    return failed_precondition(folder + ": none of ggml's CPU libraries runs on this processor");
  }
  unused_ = unused_device_libraries(folder);
  ggml_backend_reg_t reg = api_.ggml_backend_dev_backend_reg(cpu);
  api_.threadpool_new = reinterpret_cast<decltype(api_.threadpool_new)>(
      api_.ggml_backend_reg_get_proc_address(reg, "ggml_threadpool_new")
  );
  api_.threadpool_free = reinterpret_cast<decltype(api_.threadpool_free)>(
      api_.ggml_backend_reg_get_proc_address(reg, "ggml_threadpool_free")
  );
  const bool own_operations = install_own_operations(api_, cpu);
  log::info(
      "opened libllama",
      {{"version", version_},
       {"devices", devices_text(list_devices(api_))},
       {"own_operations", own_operations ? "yes" : "no"},
       {"path", path_}}
  );
  for (const std::string& why : unused_) {
    log::warning("a library of devices beside libllama is not used", {{"library", why}});
  }
  return {};
}

}  // namespace cortex::backend
