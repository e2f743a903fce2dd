// SPDX-License-Identifier: Apache-2.0
#include "backend/onnx/detail/ort_library.h"

#include <dlfcn.h>

#include <array>
#include <string_view>
#include <system_error>
#include <vector>

#include "base/log.h"

namespace cortex::backend {
namespace {

// Functions of later levels are not used, so that a build against newer headers still opens an
// older library.
constexpr std::uint32_t kApiLevel = 17;
static_assert(ORT_API_VERSION >= kApiLevel);

constexpr const char* kLibraryName = "libonnxruntime.so.1";

std::vector<std::string> places() {
  std::vector<std::string> out;
  std::error_code error;
  const auto program = std::filesystem::read_symlink("/proc/self/exe", error);
  if (!error) {
    out.push_back((program.parent_path().parent_path() / "lib" / kLibraryName).string());
    out.push_back((program.parent_path() / kLibraryName).string());
  }
  out.push_back(std::string(CORTEX_DEPS_LIB) + "/" + kLibraryName);
  out.emplace_back(kLibraryName);
  out.emplace_back("libonnxruntime.so");
  return out;
}

// From 1.29 on the official Linux library reports to its maker from the moment it has an
// environment, before DisableTelemetryEvents can be called, and keeps a database below the user's
// cache; only this variable stops it. Engines are made before the process has other threads, so
// nobody reads the environment meanwhile.
void forbid_telemetry() { setenv("ORT_DISABLE_TELEMETRY", "1", 1); }

const OrtApiBase* open_one(const std::string& path, std::string& why) {
  // Local: the library's protobuf and abseil must not meet ours.
  void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  void* entry = library != nullptr ? dlsym(library, "OrtGetApiBase") : nullptr;
  if (entry == nullptr) {
    const char* text = dlerror();
    why.append(why.empty() ? "" : "; ").append(text != nullptr ? text : path.c_str());
    return nullptr;
  }
  return reinterpret_cast<const OrtApiBase* (*)()>(entry)();
}

void write_log(
    void* /*unused*/,
    OrtLoggingLevel severity,
    const char* category,
    const char* session,
    const char* place,
    const char* message
) {
  log::Level level = log::Level::kError;
  if (severity < ORT_LOGGING_LEVEL_ERROR) level = log::Level::kWarning;
  if (severity < ORT_LOGGING_LEVEL_WARNING) level = log::Level::kDebug;
  std::string_view text = message;
  if (!text.empty() && text.back() == '\n') text.remove_suffix(1);
  log::write(
      level,
      text,
      {{"engine", "onnx"}, {"category", category}, {"session", session}, {"place", place}}
  );
}

}  // namespace

Result<std::shared_ptr<const OrtLibrary>> OrtLibrary::open(const std::filesystem::path& configured
) {
  forbid_telemetry();
  std::string why;
  std::shared_ptr<OrtLibrary> out(new OrtLibrary());
  const auto candidates =
      configured.empty() ? places() : std::vector<std::string>{configured.string()};
  for (const std::string& path : candidates) {
    const OrtApiBase* base = open_one(path, why);
    if (base == nullptr) continue;
    out->path_ = path;
    out->version_ = base->GetVersionString();
    out->api_ = base->GetApi(kApiLevel);
    CORTEX_RETURN_IF_ERROR(out->prepare());
    return std::shared_ptr<const OrtLibrary>(std::move(out));
  }
  return failed_precondition("ONNX Runtime cannot be opened: " + why);
}

Status OrtLibrary::prepare() {
  if (api_ == nullptr) {
    return failed_precondition(
        path_ + ": ONNX Runtime " + version_ + " is too old: 1." + std::to_string(kApiLevel) +
        " is the least"
    );
  }
  OrtFailure failure = take(api_->CreateEnvWithCustomLogger(
      write_log, nullptr, ORT_LOGGING_LEVEL_WARNING, "cortex", &environment_
  ));
  if (!failure.failed()) failure = take(api_->DisableTelemetryEvents(environment_));
  if (!failure.failed()) {
    failure = take(api_->CreateCpuMemoryInfo(OrtArenaAllocator, OrtMemTypeDefault, &memory_));
  }
  if (!failure.failed()) failure = take(api_->GetAllocatorWithDefaultOptions(&allocator_));
  if (failure.failed()) return failed_precondition(path_ + ": " + failure.text);
  // A second environment of the process finds the first one's arena registered, which is as good.
  static_cast<void>(share_arena());
  shares_arena_ = true;
  return {};
}

// One arena for all sessions that want one: memory that one model has freed serves the next. It
// grows by what is asked for, not by powers of two, since batches of texts differ in size all the
// time.
OrtFailure OrtLibrary::share_arena() {
  constexpr std::size_t kExtendBySameAsRequested = 1;
  constexpr std::array<const char*, 1> kKeys = {"arena_extend_strategy"};
  constexpr std::array<std::size_t, 1> kValues = {kExtendBySameAsRequested};
  OrtArenaCfg* config = nullptr;
  OrtFailure failure =
      take(api_->CreateArenaCfgV2(kKeys.data(), kValues.data(), kKeys.size(), &config));
  if (failure.failed()) return failure;
  failure = take(api_->CreateAndRegisterAllocator(environment_, memory_, config));
  api_->ReleaseArenaCfg(config);
  return failure;
}

OrtLibrary::~OrtLibrary() {
  if (memory_ != nullptr) api_->ReleaseMemoryInfo(memory_);
  if (environment_ != nullptr) api_->ReleaseEnv(environment_);
}

OrtFailure OrtLibrary::take(OrtStatus* status) const {
  if (status == nullptr) return {};
  OrtFailure out{api_->GetErrorCode(status), api_->GetErrorMessage(status)};
  api_->ReleaseStatus(status);
  return out;
}

}  // namespace cortex::backend
