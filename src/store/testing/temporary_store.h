// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "store/store.h"

namespace cortex::store {

// A store for one test, removed with it: "sqlite" in a fresh folder, or "postgresql" in a fresh
// schema of the database that the environment variable CORTEX_TEST_POSTGRESQL names. CHECKs that
// everything works. The suite of a room runs on both:
//
//   class Runs : public testing::TestWithParam<std::string> {
//     void SetUp() override {
//       if (!TemporaryStore::available(GetParam())) GTEST_SKIP() << "CORTEX_TEST_POSTGRESQL";
//       store_.emplace(GetParam(), schemas);
//     }
//     std::optional<TemporaryStore> store_;
//   };
//   INSTANTIATE_TEST_SUITE_P(Stores, Runs, testing::ValuesIn(TemporaryStore::kinds()),
//                            [](const auto& kind) { return kind.param; });
class TemporaryStore {
 public:
  // "sqlite" and "postgresql".
  [[nodiscard]] static std::vector<std::string> kinds();
  [[nodiscard]] static bool available(const std::string& kind);

  // `schemas` and what they point to outlive it; the address of `options` is not looked at.
  explicit TemporaryStore(
      const std::string& kind, std::vector<Schema> schemas = {}, StoreOptions options = {}
  );
  ~TemporaryStore();
  TemporaryStore(const TemporaryStore&) = delete;
  TemporaryStore& operator=(const TemporaryStore&) = delete;

  Store& operator*() const { return *store_; }
  Store* operator->() const { return store_.get(); }

  // Closes the store and opens it again, as a restart does.
  void reopen();
  // A second store on the same database, as another process has.
  [[nodiscard]] Result<std::unique_ptr<Store>> open_another(std::span<const Schema> schemas) const;
  // The address that open_store() takes.
  [[nodiscard]] const std::string& address() const { return options_.address; }
  // A folder that goes with the store.
  [[nodiscard]] const std::filesystem::path& folder() const { return folder_; }

 private:
  const std::vector<Schema> schemas_;
  StoreOptions options_;
  std::filesystem::path folder_;
  std::unique_ptr<Store> store_;
};

}  // namespace cortex::store
