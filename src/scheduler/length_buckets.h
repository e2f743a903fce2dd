// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace cortex::scheduler {

// The greatest length of the bucket that `length` falls into. There are eight buckets per power of
// two, so that two lengths of one bucket differ by less than an eighth of the shorter; up to 16
// every length is a bucket of its own.
[[nodiscard]] constexpr std::uint32_t length_bucket(std::uint32_t length) {
  if (length <= 16) return length;
  const std::uint32_t step = std::bit_floor(length - 1) / 8;
  return (length + step - 1) / step * step;
}

// What padding a batch to its longest row would cost, as rows come in.
class PaddingCost {
 public:
  // True when with these rows added the padding stays within an eighth of the real elements.
  [[nodiscard]] bool accepts(std::uint32_t rows, std::uint32_t length) const {
    PaddingCost next = *this;
    next.add(rows, length);
    return next.padding() * 8 <= next.real_;
  }
  void add(std::uint32_t rows, std::uint32_t length) {
    rows_ += rows;
    real_ += std::uint64_t{rows} * length;
    longest_ = std::max(longest_, length);
  }
  // Elements that would be filled in.
  [[nodiscard]] std::uint64_t padding() const { return rows_ * longest_ - real_; }

 private:
  std::uint64_t rows_ = 0;
  std::uint64_t real_ = 0;
  std::uint32_t longest_ = 0;
};

}  // namespace cortex::scheduler
