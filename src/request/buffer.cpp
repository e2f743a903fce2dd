// SPDX-License-Identifier: Apache-2.0
#include "request/buffer.h"

#include <cstring>
#include <new>

#include "base/check.h"

namespace cortex {

std::shared_ptr<Buffer> Buffer::make(std::size_t size, std::size_t skew) {
  return std::make_shared<Buffer>(Private{}, size, skew);
}

Buffer::Buffer(Private, std::size_t size, std::size_t skew) : size_(size) {
  const std::size_t lead = (kAlignment - skew % kAlignment) % kAlignment;
  block_ =
      static_cast<std::byte*>(::operator new(lead + size + kPadding, std::align_val_t{kAlignment}));
  data_ = block_ + lead;
  std::memset(data_ + size, 0, kPadding);
}

void Buffer::truncate(std::size_t size) {
  CHECK(size <= size_, "a buffer only shrinks");
  size_ = size;
  std::memset(data_ + size_, 0, kPadding);
}

Buffer::~Buffer() { ::operator delete(block_, std::align_val_t{kAlignment}); }

}  // namespace cortex
