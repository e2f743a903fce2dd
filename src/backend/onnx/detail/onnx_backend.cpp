// SPDX-License-Identifier: Apache-2.0
#include "backend/onnx/detail/onnx_backend.h"

#include <algorithm>
#include <exception>
#include <utility>

#include "backend/onnx/detail/ort_errors.h"
#include "backend/onnx/detail/ort_values.h"
#include "backend/onnx/detail/session_signature.h"
#include "base/log.h"

namespace cortex::backend {
namespace {

GraphOptimizationLevel level_of(OptimizationLevel level) {
  switch (level) {
    case OptimizationLevel::kDisable:
      return ORT_DISABLE_ALL;
    case OptimizationLevel::kBasic:
      return ORT_ENABLE_BASIC;
    case OptimizationLevel::kExtended:
      return ORT_ENABLE_EXTENDED;
    case OptimizationLevel::kAll:
      break;
  }
  return ORT_ENABLE_ALL;
}

// Collects the first failure of a row of calls.
class Calls {
 public:
  explicit Calls(const OrtLibrary& library) : library_(library) {}
  void operator()(OrtStatus* status) {
    OrtFailure failure = library_.take(status);
    if (!first_.failed()) first_ = std::move(failure);
  }
  [[nodiscard]] const OrtFailure& first() const { return first_; }

 private:
  const OrtLibrary& library_;
  OrtFailure first_;
};

OrtFailure apply(
    const OrtLibrary& library, const SessionSettings& settings, OrtSessionOptions* to
) {
  const OrtApi& api = library.api();
  Calls call(library);
  call(api.SetIntraOpNumThreads(to, settings.intra_threads));
  call(api.SetInterOpNumThreads(to, settings.inter_threads));
  call(api.SetSessionExecutionMode(to, settings.parallel ? ORT_PARALLEL : ORT_SEQUENTIAL));
  call(api.SetSessionGraphOptimizationLevel(to, level_of(settings.optimization)));
  call(settings.memory_arena ? api.EnableCpuMemArena(to) : api.DisableCpuMemArena(to));
  call(settings.memory_pattern ? api.EnableMemPattern(to) : api.DisableMemPattern(to));
  // Threads that spin take the cores from the other models' lanes.
  call(api.AddSessionConfigEntry(to, "session.intra_op.allow_spinning", "0"));
  call(api.AddSessionConfigEntry(to, "session.inter_op.allow_spinning", "0"));
  if (settings.memory_arena && library.shares_arena()) {
    call(api.AddSessionConfigEntry(to, "session.use_env_allocators", "1"));
  }
  for (const auto& [key, value] : settings.entries) {
    call(api.AddSessionConfigEntry(to, key.c_str(), value.c_str()));
  }
  return call.first();
}

// The position in `list` of what is called `name`, most often `hint`; the list's size when it is
// not there.
template <typename T>
std::size_t position(const std::vector<T>& list, std::string_view name, std::size_t hint) {
  if (hint < list.size() && list[hint].name == name) return hint;
  const auto at =
      std::find_if(list.begin(), list.end(), [&](const T& one) { return one.name == name; });
  return static_cast<std::size_t>(at - list.begin());
}

std::vector<const char*> names_of(const std::vector<TensorSpec>& specs) {
  std::vector<const char*> out;
  for (const TensorSpec& spec : specs) out.push_back(spec.name.c_str());
  return out;
}

// Values of one run, released at its end.
class Values {
 public:
  Values(const OrtApi& api, std::size_t count) : all(count), api_(api) {}
  Values(const Values&) = delete;
  Values& operator=(const Values&) = delete;
  ~Values() {
    for (OrtValue* value : all) {
      if (value != nullptr) api_.ReleaseValue(value);
    }
  }
  [[nodiscard]] OrtOwned<OrtValue> take(std::size_t index) {
    return {std::exchange(all[index], nullptr), api_.ReleaseValue};
  }

  std::vector<OrtValue*> all;

 private:
  const OrtApi& api_;
};

}  // namespace

OnnxBackend::OnnxBackend(std::shared_ptr<const OrtLibrary> library)
    : library_(std::move(library)),
      session_(nullptr, library_->api().ReleaseSession),
      run_options_(nullptr, library_->api().ReleaseRunOptions) {}

Result<std::unique_ptr<OnnxBackend>> OnnxBackend::load(
    std::shared_ptr<const OrtLibrary> library, const TensorBackendOptions& options
) {
  auto settings = session_settings(options.parameters, options.threads);
  if (!settings.ok()) return settings.status().with_prefix("model '" + options.model_name + "': ");
  for (const std::string& name : settings->unknown) {
    log::warning(
        "a parameter that means nothing to ONNX Runtime",
        {{"model", options.model_name}, {"parameter", name}}
    );
  }
  std::unique_ptr<OnnxBackend> out(new OnnxBackend(std::move(library)));
  OrtFailure failure = out->open_session(options.model_file, *settings);
  if (!failure.failed()) failure = out->prepare_runs(*settings);
  if (failure.failed()) return load_error(options, failure);
  auto signature = session_signature(*out->library_, out->session_.get());
  if (!signature.ok()) {
    return signature.status().with_prefix("model '" + options.model_name + "': ");
  }
  out->signature_ = std::move(*signature);
  out->signature_.rows_untried = true;
  out->input_names_ = names_of(out->signature_.inputs);
  out->output_names_ = names_of(out->signature_.outputs);
  return out;
}

OrtFailure OnnxBackend::open_session(
    const std::filesystem::path& file, const SessionSettings& settings
) {
  const OrtApi& api = library_->api();
  OrtSessionOptions* options = nullptr;
  OrtFailure failure = library_->take(api.CreateSessionOptions(&options));
  if (failure.failed()) return failure;
  const OrtOwned<OrtSessionOptions> owned(options, api.ReleaseSessionOptions);
  failure = apply(*library_, settings, options);
  if (failure.failed()) return failure;
  OrtSession* session = nullptr;
  failure =
      library_->take(api.CreateSession(library_->environment(), file.c_str(), options, &session));
  session_.reset(session);
  return failure;
}

OrtFailure OnnxBackend::prepare_runs(const SessionSettings& settings) {
  const OrtApi& api = library_->api();
  OrtRunOptions* options = nullptr;
  OrtFailure failure = library_->take(api.CreateRunOptions(&options));
  if (failure.failed()) return failure;
  run_options_.reset(options);
  // A failed run is a Status; the library's own line about it would let clients fill the log.
  failure = library_->take(api.RunOptionsSetRunLogSeverityLevel(options, ORT_LOGGING_LEVEL_FATAL));
  if (failure.failed() || settings.arena_shrinkage.empty()) return failure;
  return library_->take(api.AddRunConfigEntry(
      options, "memory.enable_memory_arena_shrinkage", settings.arena_shrinkage.c_str()
  ));
}

Status OnnxBackend::run(const TensorRun& run, std::vector<Tensor>& outputs) {
  outputs.clear();
  if (run.cancel != nullptr && run.cancel->load(std::memory_order_relaxed)) {
    return cancelled("cancelled before it ran");
  }
  Status status;
  try {
    status = run_session(run, outputs);
  } catch (const std::exception& error) {
    // Our own allocations: the engine's C interface reports its failures as values.
    status = run_error({ORT_FAIL, error.what()});
  }
  if (!status.ok()) outputs.clear();
  return status;
}

Status OnnxBackend::run_session(const TensorRun& run, std::vector<Tensor>& outputs) {
  std::vector<std::shared_ptr<const void>> kept(input_names_.size());
  Values inputs(library_->api(), input_names_.size());
  CORTEX_RETURN_IF_ERROR(make_inputs(run, inputs.all, kept));
  std::vector<const char*> chosen;
  CORTEX_RETURN_IF_ERROR(choose_outputs(run, chosen));
  const std::vector<const char*>& output_names = chosen.empty() ? output_names_ : chosen;
  Values values(library_->api(), output_names.size());
  const OrtFailure failure = library_->take(library_->api().Run(
      session_.get(),
      run_options_.get(),
      input_names_.data(),
      inputs.all.data(),
      input_names_.size(),
      output_names.data(),
      output_names.size(),
      values.all.data()
  ));
  if (failure.failed()) return run_error(failure);
  outputs.resize(output_names.size());
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    CORTEX_RETURN_IF_ERROR(make_output(*library_, output_names[i], values.take(i), outputs[i]));
  }
  return {};
}

Status OnnxBackend::make_inputs(
    const TensorRun& run,
    std::vector<OrtValue*>& values,
    std::vector<std::shared_ptr<const void>>& kept
) const {
  const std::vector<TensorSpec>& specs = signature_.inputs;
  for (std::size_t i = 0; i < specs.size(); ++i) {
    const std::size_t at = position(run.inputs, specs[i].name, i);
    if (at == run.inputs.size()) {
      return invalid_argument("the input '" + specs[i].name + "' is missing");
    }
    CORTEX_RETURN_IF_ERROR(make_value(*library_, run.inputs[at], values[i], kept[i]));
  }
  for (const Tensor& input : run.inputs) {
    if (run.inputs.size() > specs.size() && position(specs, input.name, 0) == specs.size()) {
      return invalid_argument("the model has no input '" + input.name + "'");
    }
  }
  return {};
}

// Leaves `names` empty where all are wanted.
Status OnnxBackend::choose_outputs(const TensorRun& run, std::vector<const char*>& names) const {
  for (const std::string& name : run.outputs) {
    const std::size_t at = position(signature_.outputs, name, names.size());
    if (at == signature_.outputs.size()) {
      return invalid_argument("the model has no output '" + name + "'");
    }
    names.push_back(output_names_[at]);
  }
  return {};
}

}  // namespace cortex::backend
