// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "frontend/http/exchange.h"

namespace cortex::frontend {

// Bytes on their way to one client, each piece sent from where it lies. One thread.
class OutQueue {
 public:
  void push(std::string text);
  void push(Segment segment);

  [[nodiscard]] bool empty() const { return front_ == pieces_.size(); }
  [[nodiscard]] std::size_t bytes() const { return bytes_; }

  // Fills `out` with the first pieces and returns how many there are.
  [[nodiscard]] std::size_t gather(std::span<std::span<const std::byte>> out) const;
  // The first `bytes` are sent: lets go of the pieces they were in.
  void consume(std::size_t bytes);
  void clear();

 private:
  struct Piece {
    std::string text;
    Segment segment;  // instead of the text
    [[nodiscard]] std::span<const std::byte> view() const;
  };
  std::vector<Piece> pieces_;
  std::size_t front_ = 0;
  std::size_t offset_ = 0;  // sent bytes of the front piece
  std::size_t bytes_ = 0;
};

}  // namespace cortex::frontend
