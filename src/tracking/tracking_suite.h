// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <utility>

#include <gtest/gtest.h>

#include "store/testing/temporary_store.h"
#include "tracking/experiments.h"
#include "tracking/tracking_schema.h"

namespace cortex::tracking {

// A suite over the room's functions on every kind of store; the experiment "Default" is there.
class TrackingTest : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    if (!store::TemporaryStore::available(GetParam())) GTEST_SKIP() << "no " << GetParam();
    store_.emplace(GetParam(), std::vector{tracking_schema()});
    write([](store::Transaction& transaction) {
      return ensure_default_experiment(transaction, "default", "root:", 1);
    });
  }

  // The status of `work(transaction)` in a write of its own.
  template <typename Work>
  Status try_write(Work&& work) {
    return (*store_)->write_and_wait([&](store::Transaction& transaction) -> Status {
      return work(transaction);
    });
  }
  template <typename Work>
  void write(Work&& work) {
    const Status status = try_write(work);
    ASSERT_TRUE(status.ok()) << status.to_string();
  }
  // What `work(transaction)`, which gives a Result, found or made; its error is the Result's.
  template <typename Work>
  auto make(Work&& work) {
    auto result = decltype(work(std::declval<store::Transaction&>()))(internal("nothing ran"));
    const Status status = try_write([&](store::Transaction& transaction) {
      result = work(transaction);
      return result.status();
    });
    if (!status.ok()) result = status;
    return result;
  }
  template <typename Work>
  auto read(Work&& work) {
    auto result = decltype(work(std::declval<store::Transaction&>()))(internal("nothing ran"));
    const Status status = (*store_)->read_and_wait([&](store::Transaction& transaction) {
      result = work(transaction);
      return result.status();
    });
    if (!status.ok()) result = status;
    return result;
  }

  const std::string workspace_ = "default";
  std::optional<store::TemporaryStore> store_;
};

}  // namespace cortex::tracking
