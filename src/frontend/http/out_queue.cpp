// SPDX-License-Identifier: Apache-2.0
#include "frontend/http/out_queue.h"

#include <utility>

namespace cortex::frontend {

std::span<const std::byte> OutQueue::Piece::view() const {
  return text.empty() ? segment.bytes : std::as_bytes(std::span(text));
}

void OutQueue::push(std::string text) {
  if (text.empty()) return;
  bytes_ += text.size();
  pieces_.push_back({std::move(text), {}});
}

void OutQueue::push(Segment segment) {
  if (segment.bytes.empty()) return;
  bytes_ += segment.bytes.size();
  pieces_.push_back({{}, std::move(segment)});
}

std::size_t OutQueue::gather(std::span<std::span<const std::byte>> out) const {
  std::size_t count = 0;
  for (std::size_t i = front_; i < pieces_.size() && count < out.size(); ++i) {
    const auto view = pieces_[i].view();
    out[count++] = i == front_ ? view.subspan(offset_) : view;
  }
  return count;
}

void OutQueue::consume(std::size_t bytes) {
  bytes_ -= bytes;
  while (bytes > 0) {
    const std::size_t left = pieces_[front_].view().size() - offset_;
    if (bytes < left) {
      offset_ += bytes;
      return;
    }
    bytes -= left;
    offset_ = 0;
    pieces_[front_++] = Piece();
  }
  if (empty()) clear();
}

void OutQueue::clear() {
  pieces_.clear();
  front_ = offset_ = bytes_ = 0;
}

}  // namespace cortex::frontend
