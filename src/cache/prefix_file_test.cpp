// SPDX-License-Identifier: Apache-2.0
#include "cache/prefix_file.h"

#include <numeric>

#include <gtest/gtest.h>

namespace cortex::cache {
namespace {

PrefixFileHead sample_head() {
  PrefixFileHead out;
  out.key.model = "sha256:abc";
  out.key.space = {"lora@1*0.5", "tenant", std::string("sa\0lt", 5)};
  out.key.tokens.resize(40);
  std::iota(out.key.tokens.begin(), out.key.tokens.end(), -2);
  out.state_bytes = 12345;
  out.state_checksum = 67890;
  return out;
}

TEST(PrefixFile, a_head_is_read_as_it_was_written) {
  for (const PrefixFileHead& head : {sample_head(), PrefixFileHead{}}) {
    const auto bytes = encode_prefix_head(head);
    EXPECT_EQ(*prefix_head_bytes(bytes), bytes.size());
    const auto back = decode_prefix_head(bytes);
    ASSERT_TRUE(back.ok()) << back.status().to_string();
    EXPECT_EQ(*back, head);
  }
}

TEST(PrefixFile, every_changed_byte_is_found) {
  auto bytes = encode_prefix_head(sample_head());
  for (std::byte& byte : bytes) {
    for (const std::byte change : {std::byte{1}, std::byte{0x80}}) {
      byte ^= change;
      EXPECT_EQ(decode_prefix_head(bytes).status().code(), Code::kDataLoss);
      byte ^= change;
    }
  }
}

TEST(PrefixFile, every_cut_is_found) {
  const auto bytes = encode_prefix_head(sample_head());
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_FALSE(decode_prefix_head(std::span(bytes).first(size)).ok()) << size;
  }
  auto longer = bytes;
  longer.push_back(std::byte{});
  EXPECT_FALSE(decode_prefix_head(longer).ok());
}

TEST(PrefixFile, a_changed_byte_changes_the_checksum_of_a_state) {
  std::vector<std::byte> state(1001, std::byte{'s'});
  const std::uint64_t sum = prefix_checksum(state);
  for (std::size_t i = 0; i < state.size(); i += 7) {
    state[i] ^= std::byte{16};
    EXPECT_NE(prefix_checksum(state), sum);
    state[i] ^= std::byte{16};
  }
  EXPECT_NE(prefix_checksum(std::span(state).first(1000)), sum);
  EXPECT_NE(prefix_checksum({}), prefix_checksum(std::vector<std::byte>(8)));
}

TEST(PrefixFile, names_follow_from_everything_in_the_key) {
  const PrefixKey key = sample_head().key;
  const std::string name = prefix_file_name(key);
  EXPECT_EQ(name.size(), 32u + 7u);
  EXPECT_EQ(name.find_first_not_of("0123456789abcdef"), 32u);
  EXPECT_EQ(prefix_file_name(key), name);
  for (int i = 0; i < 5; ++i) {
    PrefixKey other = key;
    if (i == 0) other.model += "x";
    if (i == 1) other.space.adapter = "";
    if (i == 2) other.space.tenant = "t";
    if (i == 3) std::swap(other.space.tenant, other.space.salt);
    if (i == 4) other.tokens.pop_back();
    EXPECT_NE(prefix_file_name(other), name) << i;
  }
}

}  // namespace
}  // namespace cortex::cache
