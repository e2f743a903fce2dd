// SPDX-License-Identifier: Apache-2.0
// Bytes of a model file through the scan that looks for dynamic quantisation.
#include <cstddef>
#include <cstdint>
#include <span>

#include "backend/onnx/graph_scan.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static_cast<void>(cortex::backend::quantizes_dynamically(std::as_bytes(std::span(data, size))));
  return 0;
}
