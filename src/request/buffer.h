// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string_view>

namespace cortex {

// One block of bytes, aligned for the widest vector loads. Made once, then shared: tensors point
// into it and keep it alive. Not thread-safe while it is being filled; immutable, by convention,
// once shared.
class Buffer {
 public:
  static constexpr std::size_t kAlignment = 64;
  // Readable bytes behind the end, so that a JSON parser that reads in wide steps needs no copy of
  // its own.
  static constexpr std::size_t kPadding = 64;

  // `size` bytes of unset content. `skew` shifts the start so that the byte at offset `skew` is
  // aligned instead of the first: binary tensors lie behind a JSON header whose length is known
  // before the body is read.
  [[nodiscard]] static std::shared_ptr<Buffer> make(std::size_t size, std::size_t skew = 0);

  // Keeps the first `size` bytes. REQUIRES: size <= size(), and the buffer is not shared yet.
  void truncate(std::size_t size);

  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  ~Buffer();

  [[nodiscard]] std::byte* data() { return data_; }
  [[nodiscard]] const std::byte* data() const { return data_; }
  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] std::span<std::byte> bytes() { return {data_, size_}; }
  [[nodiscard]] std::span<const std::byte> bytes() const { return {data_, size_}; }
  [[nodiscard]] std::string_view text() const {
    return {reinterpret_cast<const char*>(data_), size_};
  }

 private:
  struct Private {};

 public:
  Buffer(Private, std::size_t size, std::size_t skew);

 private:
  std::byte* block_;
  std::byte* data_;
  std::size_t size_;
};

}  // namespace cortex
