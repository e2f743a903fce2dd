// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string_view>

#include "frontend/http/request_head.h"

namespace cortex::frontend {

// Unpacks a gzip or zlib stream that comes in pieces.
class Inflater {
 public:
  enum class Outcome {
    kNeedInput,  // `input` is empty now
    kNeedSpace,  // `space` is full
    kMalformed,
  };

  explicit Inflater(ContentCoding coding);
  ~Inflater();

  // Cuts what it used from `input` and from the front of `space`.
  [[nodiscard]] Outcome unpack(std::string_view& input, std::span<std::byte>& space);
  // True when the stream is at its end, so that the body may end here.
  [[nodiscard]] bool complete() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace cortex::frontend
