// SPDX-License-Identifier: Apache-2.0
// The input is the state of a prefix. Whatever it says, its pieces are found or it is refused with
// a reason; pieces that were found make the same bytes again.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/check.h"
#include "cache/state_pieces.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto bytes = std::as_bytes(std::span(data, size));
  const auto pieces = cortex::cache::pieces_of(bytes);
  if (!pieces.ok()) {
    CHECK(!pieces.status().text().empty(), "a refusal says why");
    return 0;
  }
  std::vector<std::byte> again;
  for (const auto& piece : *pieces) cortex::cache::append_piece(again, piece);
  CHECK(std::ranges::equal(again, bytes), "the bytes stay");
  return 0;
}
