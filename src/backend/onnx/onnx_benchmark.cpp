// SPDX-License-Identifier: Apache-2.0
// What the adapter adds to the library: one Run of an identity of 16 floats through each, side by
// side.
#include <dlfcn.h>
#include <onnxruntime_c_api.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <vector>

#include <benchmark/benchmark.h>

#include "backend/onnx/onnx_engine.h"
#include "backend/testing/sample_models.h"

namespace {

using cortex::DataType;
using cortex::Tensor;

std::filesystem::path model_file() {
  const auto file = std::filesystem::temp_directory_path() / "cortex_onnx_benchmark.onnx";
  cortex::backend::testing::write_file(
      file, cortex::backend::testing::identity_model(DataType::kFp32, {-1, 16})
  );
  return file;
}

const OrtApi* api = nullptr;

void must(OrtStatus* status) {
  if (status == nullptr) return;
  std::fprintf(stderr, "%s\n", api->GetErrorMessage(status));
  std::exit(1);
}

void raw(benchmark::State& state) {
  const std::string library = cortex::backend::OnnxEngine().library();
  void* handle = dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL);
  api = reinterpret_cast<const OrtApiBase* (*)()>(dlsym(handle, "OrtGetApiBase"))()->GetApi(17);
  OrtEnv* env = nullptr;
  OrtSessionOptions* options = nullptr;
  OrtSession* session = nullptr;
  OrtMemoryInfo* memory = nullptr;
  must(api->CreateEnv(ORT_LOGGING_LEVEL_WARNING, "raw", &env));
  must(api->CreateSessionOptions(&options));
  must(api->SetIntraOpNumThreads(options, 1));
  must(api->CreateSession(env, model_file().c_str(), options, &session));
  must(api->CreateCpuMemoryInfo(OrtArenaAllocator, OrtMemTypeDefault, &memory));
  std::array<float, 16> data{};
  const std::array<std::int64_t, 2> shape = {1, 16};
  const char* in = "INPUT0";
  const char* out = "OUTPUT0";
  for (auto _ : state) {
    OrtValue* input = nullptr;
    OrtValue* output = nullptr;
    must(api->CreateTensorWithDataAsOrtValue(
        memory,
        data.data(),
        sizeof(data),
        shape.data(),
        shape.size(),
        ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT,
        &input
    ));
    must(api->Run(session, nullptr, &in, &input, 1, &out, 1, &output));
    void* values = nullptr;
    must(api->GetTensorMutableData(output, &values));
    benchmark::DoNotOptimize(values);
    api->ReleaseValue(input);
    api->ReleaseValue(output);
  }
  api->ReleaseSession(session);
  api->ReleaseSessionOptions(options);
  api->ReleaseMemoryInfo(memory);
  api->ReleaseEnv(env);
}
BENCHMARK(raw);

void adapter(benchmark::State& state) {
  cortex::backend::OnnxEngine engine;
  cortex::backend::TensorBackendOptions options;
  options.model_file = model_file();
  auto backend = engine.load(options);
  if (!backend.ok()) return state.SkipWithError(backend.status().to_string().c_str());
  const std::array<float, 16> data{};
  cortex::backend::TensorRun run;
  run.inputs = {cortex::tensor_of("INPUT0", {1, 16}, std::span<const float>(data))};
  std::vector<Tensor> outputs;
  for (auto _ : state) {
    const cortex::Status status = (*backend)->run(run, outputs);
    benchmark::DoNotOptimize(status.ok());
  }
}
BENCHMARK(adapter);

}  // namespace

BENCHMARK_MAIN();
