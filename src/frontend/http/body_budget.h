// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <utility>

namespace cortex::frontend {

// Bytes of all request bodies that are held at once. Thread-safe.
class BodyBudget {
 public:
  explicit BodyBudget(std::size_t limit) : limit_(limit) {}

  [[nodiscard]] bool take(std::size_t bytes) {
    if (used_.fetch_add(bytes, std::memory_order_relaxed) + bytes <= limit_) return true;
    give_back(bytes);
    return false;
  }
  void give_back(std::size_t bytes) { used_.fetch_sub(bytes, std::memory_order_relaxed); }
  [[nodiscard]] std::size_t used() const { return used_.load(std::memory_order_relaxed); }

 private:
  const std::size_t limit_;
  std::atomic<std::size_t> used_{0};
};

// What one body took of the budget; given back with it. Bodies up to kFree cost nothing:
// connections bound them.
class BudgetShare {
 public:
  static constexpr std::size_t kFree = 16 * 1024;
  static constexpr std::size_t kStep = 256 * 1024;

  explicit BudgetShare(std::shared_ptr<BodyBudget> budget) : budget_(std::move(budget)) {}
  BudgetShare(BudgetShare&& other) noexcept
      : budget_(std::move(other.budget_)), taken_(std::exchange(other.taken_, 0)) {}
  BudgetShare& operator=(BudgetShare&&) = delete;
  ~BudgetShare() {
    if (taken_ > 0) budget_->give_back(taken_);
  }

  // False when the budget cannot cover a body of `bytes`.
  [[nodiscard]] bool cover(std::size_t bytes) {
    if (bytes <= kFree || bytes <= taken_) return true;
    const std::size_t wanted = (bytes + kStep - 1) / kStep * kStep;
    if (!budget_->take(wanted - taken_)) return false;
    taken_ = wanted;
    return true;
  }
  [[nodiscard]] std::size_t taken() const { return taken_; }

 private:
  std::shared_ptr<BodyBudget> budget_;
  std::size_t taken_ = 0;
};

}  // namespace cortex::frontend
