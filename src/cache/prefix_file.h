// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/status.h"
#include "cache/prefix_tree.h"
#include "request/sampling.h"

namespace cortex::cache {

// How the state of a prefix lies in a file: docs/formats/prefix-file.md. A head that says what it
// is, then the engine's bytes.

// What a state is of. Two that are alike are the same state.
struct PrefixKey {
  std::string model;  // digest of its content
  PrefixSpace space;
  std::vector<Token> tokens;
  bool operator==(const PrefixKey&) const = default;
};

struct PrefixFileHead {
  PrefixKey key;
  std::uint64_t state_bytes = 0;
  std::uint64_t state_checksum = 0;
  bool operator==(const PrefixFileHead&) const = default;
};

// The bytes of a head that lie before everything that has a length of its own.
inline constexpr std::size_t kPrefixFileStart = 16;
inline constexpr std::size_t kPrefixHeadBytesMax = 64 << 20;

// 32 hexadecimal digits and ".prefix", from all of the key.
[[nodiscard]] std::string prefix_file_name(const PrefixKey& key);

[[nodiscard]] std::uint64_t prefix_checksum(std::span<const std::byte> state);

[[nodiscard]] std::vector<std::byte> encode_prefix_head(const PrefixFileHead& head);

// How long the head is, from its first kPrefixFileStart bytes. kDataLoss: no head, or one of
// another version.
[[nodiscard]] Result<std::size_t> prefix_head_bytes(std::span<const std::byte> start);

// Reads a head of exactly these bytes, whatever they are. kDataLoss with the reason.
[[nodiscard]] Result<PrefixFileHead> decode_prefix_head(std::span<const std::byte> bytes);

}  // namespace cortex::cache
