// SPDX-License-Identifier: Apache-2.0
// The input is the head of a prefix file, as it is and with its length and checksum set right.
// Whatever it says, it is read or refused with a reason; what was read is written as the same
// bytes.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

#include "base/check.h"
#include "cache/detail/fold.h"
#include "cache/prefix_file.h"

namespace {

using cortex::cache::decode_prefix_head;
using cortex::cache::encode_prefix_head;

void check_head(std::span<const std::byte> bytes) {
  const auto head = decode_prefix_head(bytes);
  if (!head.ok()) {
    CHECK(!head.status().text().empty(), "a refusal says why");
    return;
  }
  const auto again = encode_prefix_head(*head);
  CHECK(std::equal(again.begin(), again.end(), bytes.begin(), bytes.end()), "the bytes stay");
  CHECK(cortex::cache::prefix_file_name(head->key).size() == 39, "a name has its length");
}

// Lets the decoder see behind the checksum.
void check_mended(std::vector<std::byte> bytes) {
  constexpr std::size_t kLengthAt = 12;
  constexpr std::uint64_t kHeadSeed = 0x68656164;
  const auto length = static_cast<std::uint32_t>(bytes.size() + sizeof(std::uint64_t));
  if (bytes.size() < cortex::cache::kPrefixFileStart) return;
  std::memcpy(bytes.data() + kLengthAt, &length, sizeof(length));
  const std::uint64_t sum = cortex::cache::fold_bytes(kHeadSeed, bytes);
  const auto sum_bytes = std::as_bytes(std::span(&sum, 1));
  bytes.insert(bytes.end(), sum_bytes.begin(), sum_bytes.end());
  check_head(bytes);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto bytes = std::as_bytes(std::span(data, size));
  check_head(bytes);
  check_mended({bytes.begin(), bytes.end()});
  return 0;
}
