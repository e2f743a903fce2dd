// SPDX-License-Identifier: Apache-2.0
// What a lane makes of an engine that fails, lies or runs out of memory: exactly the requests
// concerned end with an error, everybody else is served.
#include <atomic>
#include <cstdlib>
#include <new>

#include <gtest/gtest.h>

#include "scheduler/tensor_lane.h"
#include "scheduler/testing/row_backend.h"
#include "scheduler/testing/waiter.h"

namespace {

// Tensors' bytes are the only aligned allocations. Counts them down; the one at zero fails.
std::atomic<int> g_aligned_until_failure{-1};

}  // namespace

void* operator new(std::size_t size, std::align_val_t alignment) {
  if (g_aligned_until_failure.fetch_sub(1) == 0) throw std::bad_alloc();
  const auto align = static_cast<std::size_t>(alignment);
  void* block = std::aligned_alloc(align, (size + align - 1) / align * align);
  if (block == nullptr) throw std::bad_alloc();
  return block;
}
void operator delete(void* block, std::align_val_t) noexcept { std::free(block); }
void operator delete(void* block, std::size_t, std::align_val_t) noexcept { std::free(block); }

namespace cortex::scheduler {
namespace {

using testing::Gate;
using testing::row_config;
using testing::row_request;
using testing::RowBackend;
using testing::Waiter;

constexpr std::size_t kRequests = 13;
constexpr std::size_t kBatchRows = 4;

class SchedulerFault : public ::testing::Test {
 protected:
  using Fault = RowBackend::Before;

  // Submits all requests while the first run is held, so that the batches are known: 1, then 4 at a
  // time.
  void serve(const Fault& fault) {
    backend_->before = [this, fault](const backend::TensorRun& run, std::size_t number) {
      gate_.pass();
      return fault ? fault(run, number) : Status();
    };
    TensorLaneOptions options;
    options.identity = {"rows", "1"};
    options.config = row_config(kBatchRows);
    options.run_inline = false;
    TensorLane lane(options, backend_, steady_clock());
    waiters_ = std::vector<Waiter>(kRequests);
    for (std::size_t i = 0; i < kRequests; ++i) {
      waiters_[i].submit(
          lane, row_request(1, i == 0 ? 3 : 17 + i % 2, static_cast<std::int64_t>(i))
      );
      if (i == 0) gate_.wait_for_arrivals(1);
    }
    g_aligned_until_failure = failing_allocation_;
    gate_.open();
    for (Waiter& waiter : waiters_) waiter.wait();
    g_aligned_until_failure = -1;
  }

  static std::size_t batch_of(std::size_t request) {
    return request == 0 ? 0 : 1 + (request - 1) / kBatchRows;
  }

  void expect_only_batch_fails(std::size_t batch, Code code) {
    for (std::size_t i = 0; i < kRequests; ++i) {
      const Code expected = batch_of(i) == batch ? code : Code::kOk;
      EXPECT_EQ(waiters_[i].wait().code(), expected) << "request " << i << ", batch " << batch;
    }
  }

  int failing_allocation_ = -1;
  Gate gate_;
  std::shared_ptr<RowBackend> backend_ = std::make_shared<RowBackend>();
  std::vector<Waiter> waiters_;
};

class NthRun : public SchedulerFault, public ::testing::WithParamInterface<std::size_t> {};

TEST_P(NthRun, fails_exactly_its_own_requests) {
  serve([](const backend::TensorRun&, std::size_t number) {
    return number == GetParam() ? internal("the engine broke") : Status();
  });
  expect_only_batch_fails(GetParam(), Code::kInternal);
}

TEST_P(NthRun, that_has_no_memory_fails_exactly_its_own_requests) {
  serve([](const backend::TensorRun&, std::size_t number) -> Status {
    if (number == GetParam()) throw std::bad_alloc();
    return {};
  });
  expect_only_batch_fails(GetParam(), Code::kResourceExhausted);
}

TEST_P(NthRun, with_too_few_outputs_is_an_error_and_no_crash) {
  backend_->after = [](std::vector<Tensor>& outputs, std::size_t number) {
    if (number == GetParam()) outputs.pop_back();
  };
  serve({});
  expect_only_batch_fails(GetParam(), Code::kInternal);
}

TEST_P(NthRun, with_torn_outputs_is_an_error_and_no_crash) {
  for (const int lie : {0, 1, 2}) {
    gate_.close();
    backend_ = std::make_shared<RowBackend>();
    backend_->after = [lie](std::vector<Tensor>& outputs, std::size_t number) {
      if (number != GetParam()) return;
      if (lie == 0) outputs[0].shape[0] += 1;
      if (lie == 1) outputs[1].shape.clear();
      if (lie == 2) outputs[0].bytes = outputs[0].bytes.first(4);
    };
    serve({});
    expect_only_batch_fails(GetParam(), Code::kInternal);
  }
}

INSTANTIATE_TEST_SUITE_P(Every, NthRun, ::testing::Range<std::size_t>(0, 4));

TEST_F(SchedulerFault, the_nth_tensor_without_memory_fails_exactly_its_batch) {
  // Two outputs of the first run, then two gathered inputs and two outputs per batch.
  for (int n = 0; n <= 14; ++n) {
    gate_.close();
    failing_allocation_ = n;
    serve({});
    const auto batch = static_cast<std::size_t>(n < 2 ? 0 : 1 + (n - 2) / 4);
    expect_only_batch_fails(batch, Code::kResourceExhausted);
  }
}

TEST_F(SchedulerFault, a_request_the_engine_finds_fault_with_does_not_take_its_neighbours_down) {
  serve([](const backend::TensorRun& run, std::size_t) {
    // Request 6's first id.
    for (const std::int64_t id : run.inputs[0].as<std::int64_t>()) {
      if (id == 6 * 31 && run.inputs[0].shape[0] > 0) return invalid_argument("id out of bounds");
    }
    return Status();
  });
  std::size_t failed = 0;
  for (Waiter& waiter : waiters_) failed += waiter.wait().ok() ? 0 : 1;
  EXPECT_EQ(waiters_[6].wait().code(), Code::kInvalidArgument);
  EXPECT_EQ(failed, 1u);
}

}  // namespace
}  // namespace cortex::scheduler
