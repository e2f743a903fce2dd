// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <utility>

#include "store/store.h"

namespace cortex::frontend::mlflow {

// A store that has done a work when read() or write() returns, so that a test needs no waiting.
// `refusal` answers in its place when it is set.
class PromptStore final : public store::Store {
 public:
  explicit PromptStore(store::Store& inner) : inner_(inner) {}

  void write(Work work, Done done, store::Durability durability) override {
    if (!refusal.ok()) return done(refusal);
    done(inner_.write_and_wait(std::move(work), durability));
  }
  void read(Work work, Done done) override {
    if (!refusal.ok()) return done(refusal);
    done(inner_.read_and_wait(std::move(work)));
  }
  [[nodiscard]] std::int64_t revision() const override { return inner_.revision(); }
  void on_change(std::function<void(std::int64_t)> changed) override {
    inner_.on_change(std::move(changed));
  }
  [[nodiscard]] store::StoreHealth health() const override { return inner_.health(); }
  [[nodiscard]] Status backup(const std::filesystem::path& to) override {
    return inner_.backup(to);
  }
  [[nodiscard]] Status check_integrity() override { return inner_.check_integrity(); }

  Status refusal;

 private:
  store::Store& inner_;
};

}  // namespace cortex::frontend::mlflow
