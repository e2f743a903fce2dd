// SPDX-License-Identifier: Apache-2.0
// The n-th allocation of a run fails, for every n, and every byte of a model file is wrong once:
// each ends as a Status.
#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <new>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "backend/onnx/onnx_engine.h"
#include "backend/synthetic/synthetic_engine.h"
#include "backend/testing/sample_models.h"

// From the linker: where the program's code begins and ends.
extern "C" const char __executable_start;  // NOLINT(bugprone-reserved-identifier)
extern "C" const char etext;

namespace {

// Allocations of this thread until one fails; negative: none does.
thread_local long allocations_left = -1;

// True for addresses in this program, not in a library.
bool is_ours(const void* caller) { return caller >= &__executable_start && caller < &etext; }

bool fails_now(const void* caller) {
  if (allocations_left < 0 || !is_ours(caller)) return false;
  return allocations_left-- == 0;
}

void* allocate(std::size_t size, std::size_t alignment, const void* caller) {
  if (fails_now(caller)) throw std::bad_alloc();
  const std::size_t rounded = (size + alignment - 1) / alignment * alignment;
  void* out = std::aligned_alloc(alignment, rounded == 0 ? alignment : rounded);
  if (out == nullptr) throw std::bad_alloc();
  return out;
}

}  // namespace

void* operator new(std::size_t size) {
  return allocate(size, alignof(std::max_align_t), __builtin_return_address(0));
}
void* operator new(std::size_t size, std::align_val_t alignment) {
  return allocate(size, static_cast<std::size_t>(alignment), __builtin_return_address(0));
}
void operator delete(void* block) noexcept { std::free(block); }
void operator delete(void* block, std::size_t) noexcept { std::free(block); }
void operator delete(void* block, std::align_val_t) noexcept { std::free(block); }
void operator delete(void* block, std::size_t, std::align_val_t) noexcept { std::free(block); }

namespace cortex::backend {
namespace {

TensorBackendOptions file_of(const std::string& name, const std::string& bytes) {
  TensorBackendOptions options;
  options.model_file = std::filesystem::path(::testing::TempDir()) / "backend_fault" / name;
  options.model_name = name;
  testing::write_file(options.model_file, bytes);
  return options;
}

// Fails one allocation after the other until a run needs none of them any more.
void expect_every_failure_is_a_status(TensorBackend& backend, const std::vector<Tensor>& inputs) {
  for (long n = 0; n < 10'000; ++n) {
    TensorRun run;
    run.inputs = inputs;
    std::vector<Tensor> outputs;
    allocations_left = n;
    const Status status = backend.run(run, outputs);
    const bool failed = allocations_left < 0;
    allocations_left = -1;
    if (!failed) {
      EXPECT_TRUE(status.ok()) << status.to_string();
      EXPECT_GT(n, 3) << "the failures never reached the run";
      return;
    }
    if (status.ok()) continue;
    EXPECT_TRUE(outputs.empty());
    EXPECT_NE(status.code(), Code::kInvalidArgument) << status.to_string();
  }
  FAIL() << "the runs never ended their need";
}

TEST(BackendFault, every_allocation_of_an_onnx_run_may_fail) {
  OnnxEngine engine;
  auto backend = engine.load(file_of("identity", testing::identity_model(DataType::kFp32, {-1})));
  ASSERT_TRUE(backend.ok()) << backend.status().to_string();
  const std::vector<float> values(100, 1.0f);
  const Tensor input = tensor_of("INPUT0", {100}, std::span<const float>(values));
  expect_every_failure_is_a_status(**backend, {input});
}

TEST(BackendFault, every_changed_byte_of_a_model_file_is_a_status_or_a_model) {
  OnnxEngine engine;
  const std::string whole = testing::add_sub_model();
  for (std::size_t i = 0; i < whole.size(); ++i) {
    std::string changed = whole;
    changed[i] = static_cast<char>(changed[i] ^ 0x55);
    auto backend = engine.load(file_of("changed", changed));
    EXPECT_EQ(backend.ok(), backend.status().text().empty());
  }
}

TEST(BackendFault, every_cut_of_a_model_file_is_a_status) {
  OnnxEngine engine;
  const std::string whole = testing::add_sub_model();
  for (std::size_t size = 0; size < whole.size(); ++size) {
    auto backend = engine.load(file_of("cut", whole.substr(0, size)));
    // Cut between two fields, what is left may be a model of its own.
    EXPECT_EQ(backend.ok(), backend.status().text().empty());
  }
}

TEST(BackendFault, an_engine_goes_on_after_a_file_it_refused) {
  OnnxEngine engine;
  EXPECT_FALSE(engine.load(file_of("junk", "junk")).ok());
  EXPECT_TRUE(engine.load(file_of("good", testing::add_sub_model())).ok());
}

}  // namespace
}  // namespace cortex::backend
