// SPDX-License-Identifier: Apache-2.0
// Libraries of devices beside ggml's own. ggml opens them once in a process, so each test looks at
// a folder of its own in a process of its own.
#include "backend/llama/detail/llama_devices.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "backend/testing/gguf_writer.h"
#include "backend/testing/sample_models.h"
#include "base/log.h"

namespace cortex::backend {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::ExitedWithCode;
using ::testing::HasSubstr;
using ::testing::Not;

class LlamaDevices : public ::testing::Test {
 protected:
  void SetUp() override {
    GTEST_FLAG_SET(death_test_style, "threadsafe");
    const std::string name = ::testing::UnitTest::GetInstance()->current_test_info()->name();
    folder_ = fs::path(::testing::TempDir()) / ("llama_devices_test_" + name);
    fs::remove_all(folder_);
    fs::create_directories(folder_);
    for (const auto& file : fs::directory_iterator(fs::path(CORTEX_DEPS_LIB) / "llama")) {
      fs::create_symlink(file.path(), folder_ / file.path().filename());
    }
  }

  // One of the libraries that are built for these tests, under a name that ggml looks for.
  void add(const std::string& device, const std::string& name) {
    fs::copy_file(fs::path(CORTEX_FAKE_DEVICES) / device, folder_ / name);
  }

  [[nodiscard]] LlamaEngine engine() const { return LlamaEngine({folder_ / "libllama.so"}); }

  // Ends the process with what there is on its error stream.
  [[noreturn]] void tell_devices() const {
    LlamaEngine llama = engine();
    const Status status = llama.open();
    std::fprintf(stderr, "opened: %s\n", status.to_string().c_str());
    for (const ComputeDevice& device : llama.devices()) {
      std::fprintf(
          stderr,
          "device %s: %s, %s, %zu of %zu\n",
          device.name.c_str(),
          device.description.c_str(),
          std::string(device.kind).c_str(),
          device.memory_free_bytes,
          device.memory_bytes
      );
    }
    for (const std::string& library : llama.unused_device_libraries()) {
      std::fprintf(stderr, "unused %s\n", library.c_str());
    }
    std::_Exit(status.ok() ? 0 : 1);
  }

  fs::path folder_;
};

using Logits = std::vector<float>;

SequenceBackendOptions tiny_options(const fs::path& file, const std::string& gpu_layers) {
  SequenceBackendOptions out;
  out.model_file = file;
  out.model_name = "tiny";
  out.cells = 512;
  out.parameters["gpu_layers"] = gpu_layers;
  return out;
}

Logits answer_of(SequenceBackend& backend) {
  const auto tokens = backend.vocabulary().tokenize("a prompt", true, false);
  std::vector<StepRow> rows;
  for (std::size_t i = 0; i < tokens->size(); ++i) {
    rows.push_back({(*tokens)[i], static_cast<std::int32_t>(i), 0, i + 1 == tokens->size()});
  }
  SequenceStep step;
  step.rows = rows;
  const Status status = backend.decode(step);
  if (!status.ok()) std::fprintf(stderr, "%s\n", status.to_string().c_str());
  if (!status.ok()) return {};
  const auto logits = backend.logits(rows.size() - 1);
  return {logits.begin(), logits.end()};
}

float most_apart_of(const Logits& a, const Logits& b) {
  if (a.size() != b.size() || a.empty()) return HUGE_VALF;
  float out = 0;
  for (std::size_t i = 0; i < a.size(); ++i) out = std::max(out, std::abs(a[i] - b[i]));
  return out;
}

std::size_t memory_in_use(const LlamaEngine& llama) {
  std::size_t out = 0;
  for (const ComputeDevice& device : llama.devices()) {
    if (device.kind == "gpu") out += device.memory_bytes - device.memory_free_bytes;
  }
  return out;
}

TEST_F(LlamaDevices, of_the_processor_alone_is_told_without_another_library) {
  EXPECT_EXIT(
      tell_devices(),
      ExitedWithCode(0),
      AllOf(HasSubstr("device CPU: "), HasSubstr(", processor, "), Not(HasSubstr("unused")))
  );
}

TEST_F(LlamaDevices, of_a_library_in_the_folder_are_told_beside_the_processor) {
  add("libfake_device.so", "libggml-vulkan.so");
  EXPECT_EXIT(
      tell_devices(),
      ExitedWithCode(0),
      AllOf(
          HasSubstr("device CPU: "),
          HasSubstr("device FAKE0: a GPU of the tests, gpu, 1073741824 of 1073741824"),
          Not(HasSubstr("unused"))
      )
  );
}

TEST_F(LlamaDevices, of_another_version_are_left_out_with_the_reason) {
  add("libfake_device_other_version.so", "libggml-vulkan.so");
  EXPECT_EXIT(
      tell_devices(),
      ExitedWithCode(0),
      AllOf(
          HasSubstr("device CPU: "),
          Not(HasSubstr("FAKE0")),
          HasSubstr("unused libggml-vulkan.so: it has version 1 of ggml's device functions, "
                    "libllama has version 2")
      )
  );
}

TEST_F(LlamaDevices, that_do_not_support_the_machine_are_left_out_with_the_reason) {
  add("libfake_device_no_score.so", "libggml-cuda-12.so");
  EXPECT_EXIT(
      tell_devices(),
      ExitedWithCode(0),
      AllOf(
          Not(HasSubstr("FAKE0")),
          HasSubstr("unused libggml-cuda-12.so: it does not support this machine")
      )
  );
}

TEST_F(LlamaDevices, of_files_that_are_no_libraries_are_left_out_with_the_reason) {
  std::ofstream(folder_ / "libggml-hip.so") << "not a library";
  add("libfake_device.so", "libggml-unheard.so");
  EXPECT_EXIT(
      tell_devices(),
      ExitedWithCode(0),
      AllOf(
          Not(HasSubstr("FAKE0")),
          HasSubstr("unused libggml-hip.so: "),
          HasSubstr("file too short"),
          HasSubstr("unused libggml-unheard.so: libllama looks for none of this name")
      )
  );
}

// The same answer wherever the layers are.
TEST_F(LlamaDevices, take_the_layers_that_gpu_layers_gives_them) {
  add("libfake_device.so", "libggml-vulkan.so");
  const fs::path file = folder_ / "model.gguf";
  testing::write_file(file, testing::tiny_gguf());
  const auto compare = [&] {
    LlamaEngine llama = engine();
    log::configure(log::Level::kDebug, log::Format::kText);
    std::vector<Logits> answers;
    for (const char* layers : {"0", "1", "-1"}) {
      const auto backend = llama.load(tiny_options(file, layers));
      if (!backend.ok()) std::fprintf(stderr, "%s\n", backend.status().to_string().c_str());
      if (!backend.ok()) std::_Exit(1);
      answers.push_back(answer_of(**backend));
      const bool same = most_apart_of(answers.front(), answers.back()) < 0.01F;
      std::fprintf(stderr, "layers %s: %s answer\n", layers, same ? "the same" : "another");
    }
    std::fprintf(stderr, "memory %s\n", memory_in_use(llama) == 0 ? "given back" : "in use");
    std::_Exit(0);
  };
  EXPECT_EXIT(
      compare(),
      ExitedWithCode(0),
      AllOf(
          HasSubstr("offloaded 0/3 layers to GPU"),
          HasSubstr("offloaded 1/3 layers to GPU"),
          HasSubstr("offloaded 3/3 layers to GPU"),
          HasSubstr("layers 0: the same answer"),
          HasSubstr("layers 1: the same answer"),
          HasSubstr("layers -1: the same answer"),
          HasSubstr("memory given back")
      )
  );
}

}  // namespace
}  // namespace cortex::backend
