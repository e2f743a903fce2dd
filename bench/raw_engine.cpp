// SPDX-License-Identifier: Apache-2.0
// ONNX Runtime alone, as fast as a loop can call it: what `make bench` compares Cortex with.
//
//   raw_engine LIBRARY MODEL WORKERS THREADS SECONDS LENGTHS [BATCH]
//
// WORKERS threads call Run on one session of THREADS engine threads for SECONDS. LENGTHS is a
// comma-separated list of token counts that each worker goes through in turn. With BATCH > 1 a
// worker takes that many lengths at once and pads them to the longest: the batching loop that
// people write by hand. Prints {"rows_per_second", "cpu_us_per_row", "p50_us"}.

#include <dlfcn.h>
#include <onnxruntime_c_api.h>
#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;

const OrtApi* api = nullptr;

void ok(OrtStatus* status) {
  if (status == nullptr) return;
  std::fprintf(stderr, "raw_engine: %s\n", api->GetErrorMessage(status));
  std::exit(1);
}

const OrtApi* open_library(const char* path) {
  void* library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    std::fprintf(stderr, "raw_engine: %s\n", dlerror());
    std::exit(1);
  }
  auto base = reinterpret_cast<const OrtApiBase* (*)()>(dlsym(library, "OrtGetApiBase"));
  return base()->GetApi(ORT_API_VERSION);
}

struct Model {
  OrtSession* session = nullptr;
  OrtMemoryInfo* memory = nullptr;
  std::vector<std::string> inputs;
  std::string output;
};

Model load(const char* path, int threads) {
  Model model;
  OrtEnv* env = nullptr;
  OrtSessionOptions* options = nullptr;
  OrtAllocator* allocator = nullptr;
  ok(api->CreateEnv(ORT_LOGGING_LEVEL_ERROR, "raw_engine", &env));
  ok(api->CreateSessionOptions(&options));
  ok(api->SetIntraOpNumThreads(options, threads));
  ok(api->AddSessionConfigEntry(options, "session.intra_op.allow_spinning", "0"));
  ok(api->CreateSession(env, path, options, &model.session));
  ok(api->CreateCpuMemoryInfo(OrtArenaAllocator, OrtMemTypeDefault, &model.memory));
  ok(api->GetAllocatorWithDefaultOptions(&allocator));
  std::size_t count = 0;
  ok(api->SessionGetInputCount(model.session, &count));
  char* name = nullptr;
  for (std::size_t i = 0; i < count; ++i) {
    ok(api->SessionGetInputName(model.session, i, allocator, &name));
    model.inputs.emplace_back(name);
  }
  ok(api->SessionGetOutputName(model.session, 0, allocator, &name));
  model.output = name;
  return model;
}

// One run of rows padded to the longest, as a hand-written batching loop does it.
void run_rows(const Model& model, const std::vector<std::int64_t>& lengths) {
  const std::int64_t rows = static_cast<std::int64_t>(lengths.size());
  const std::int64_t longest = *std::max_element(lengths.begin(), lengths.end());
  const std::int64_t shape[2] = {rows, longest};
  std::vector<std::int64_t> ids(static_cast<std::size_t>(rows * longest), 0), mask(ids.size(), 0),
      types(ids.size(), 0);
  for (std::int64_t row = 0; row < rows; ++row) {
    for (std::int64_t i = 0; i < lengths[static_cast<std::size_t>(row)]; ++i) {
      ids[static_cast<std::size_t>(row * longest + i)] = 1000 + (i * 37 + row) % 20000;
      mask[static_cast<std::size_t>(row * longest + i)] = 1;
    }
  }
  std::vector<const char*> names;
  std::vector<OrtValue*> values;
  for (const std::string& name : model.inputs) {
    auto& source = name == "attention_mask" ? mask : name == "token_type_ids" ? types : ids;
    OrtValue* value = nullptr;
    ok(api->CreateTensorWithDataAsOrtValue(
        model.memory,
        source.data(),
        source.size() * 8,
        shape,
        2,
        ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64,
        &value
    ));
    names.push_back(name.c_str());
    values.push_back(value);
  }
  const char* output_name = model.output.c_str();
  OrtValue* output = nullptr;
  ok(api->Run(
      model.session, nullptr, names.data(), values.data(), values.size(), &output_name, 1, &output
  ));
  for (OrtValue* value : values) api->ReleaseValue(value);
  api->ReleaseValue(output);
}

double cpu_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) * 1e-6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

std::vector<std::int64_t> parse_lengths(const std::string& text) {
  std::vector<std::int64_t> out;
  std::stringstream in(text);
  for (std::string part; std::getline(in, part, ',');) out.push_back(std::stoll(part));
  return out;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 7) {
    std::fprintf(
        stderr, "usage: raw_engine LIBRARY MODEL WORKERS THREADS SECONDS LENGTHS [BATCH]\n"
    );
    return 2;
  }
  api = open_library(argv[1]);
  const int workers = std::atoi(argv[3]);
  const double seconds = std::atof(argv[5]);
  const std::vector<std::int64_t> lengths = parse_lengths(argv[6]);
  const std::size_t batch = argc > 7 ? std::strtoul(argv[7], nullptr, 10) : 1;
  const Model model = load(argv[2], std::atoi(argv[4]));
  for (const std::int64_t length : lengths) run_rows(model, {length});

  std::atomic<std::uint64_t> rows{0};
  std::vector<std::vector<double>> times(static_cast<std::size_t>(workers));
  const double cpu_before = cpu_seconds();
  const auto start = Clock::now();
  const auto end =
      start + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
  std::vector<std::thread> threads;
  for (int worker = 0; worker < workers; ++worker) {
    threads.emplace_back([&, worker] {
      std::size_t next = static_cast<std::size_t>(worker);
      while (Clock::now() < end) {
        std::vector<std::int64_t> taken;
        for (std::size_t i = 0; i < batch; ++i) taken.push_back(lengths[next++ % lengths.size()]);
        const auto before = Clock::now();
        run_rows(model, taken);
        times[static_cast<std::size_t>(worker)].push_back(
            std::chrono::duration<double, std::micro>(Clock::now() - before).count()
        );
        rows += batch;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  const double took = std::chrono::duration<double>(Clock::now() - start).count();
  std::vector<double> all;
  for (const auto& one : times) all.insert(all.end(), one.begin(), one.end());
  std::nth_element(
      all.begin(), all.begin() + static_cast<std::ptrdiff_t>(all.size() / 2), all.end()
  );
  const double count = static_cast<double>(rows.load());
  std::printf(
      "{\"rows_per_second\": %.2f, \"cpu_us_per_row\": %.2f, \"p50_us\": %.1f}\n",
      count / took,
      (cpu_seconds() - cpu_before) * 1e6 / count,
      all[all.size() / 2]
  );
}
