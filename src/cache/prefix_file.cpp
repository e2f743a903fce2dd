// SPDX-License-Identifier: Apache-2.0
#include "cache/prefix_file.h"

#include <array>
#include <cstring>
#include <utility>

#include "cache/detail/fold.h"

namespace cortex::cache {
namespace {

constexpr std::array<char, 8> kMagic = {'C', 'X', 'P', 'R', 'E', 'F', 'I', 'X'};
constexpr std::uint32_t kVersion = 2;
constexpr std::uint64_t kHeadSeed = 0x68656164;
constexpr std::uint64_t kStateSeed = 0x7374617465;

Status broken(const char* why) { return {Code::kDataLoss, std::string("prefix file: ") + why}; }

class HeadWriter {
 public:
  template <typename T>
  void number(T value) {
    const auto bytes = std::as_bytes(std::span(&value, 1));
    out_.insert(out_.end(), bytes.begin(), bytes.end());
  }
  void bytes(std::span<const std::byte> bytes) {
    out_.insert(out_.end(), bytes.begin(), bytes.end());
  }
  void text(const std::string& text) {
    number(static_cast<std::uint32_t>(text.size()));
    bytes(std::as_bytes(std::span(text)));
  }
  std::vector<std::byte>& out() { return out_; }

 private:
  std::vector<std::byte> out_;
};

// Reads on from where it is; nothing once it was short of bytes.
class HeadReader {
 public:
  explicit HeadReader(std::span<const std::byte> bytes) : left_(bytes) {}

  template <typename T>
  T number() {
    T out{};
    const auto from = take(sizeof(T));
    if (!from.empty()) std::memcpy(&out, from.data(), sizeof(T));
    return out;
  }
  std::string text() {
    const auto from = take(number<std::uint32_t>());
    return {reinterpret_cast<const char*>(from.data()), from.size()};
  }
  std::vector<Token> tokens() {
    const std::uint64_t count = number<std::uint32_t>();
    const auto from = take(count * sizeof(Token));
    std::vector<Token> out(from.size() / sizeof(Token));
    if (!out.empty()) std::memcpy(out.data(), from.data(), from.size());
    return out;
  }
  // Everything was there, and nothing is left.
  [[nodiscard]] bool finished() const { return !short_ && left_.empty(); }

 private:
  std::span<const std::byte> take(std::uint64_t size) {
    short_ = short_ || size > left_.size();
    if (short_) return {};
    const auto out = left_.first(static_cast<std::size_t>(size));
    left_ = left_.subspan(out.size());
    return out;
  }

  std::span<const std::byte> left_;
  bool short_ = false;
};

std::uint64_t key_hash(std::uint64_t seed, const PrefixKey& key) {
  std::uint64_t sum = fold_text(seed, key.model);
  sum = fold_text(sum, key.space.adapter);
  sum = fold_text(sum, key.space.tenant);
  sum = fold_text(sum, key.space.salt);
  return fold_bytes(sum, std::as_bytes(std::span(key.tokens)));
}

}  // namespace

std::string prefix_file_name(const PrefixKey& key) {
  constexpr const char* kDigits = "0123456789abcdef";
  std::string out;
  for (const std::uint64_t seed : {1U, 2U}) {
    const std::uint64_t hash = key_hash(seed, key);
    for (unsigned shift = 64; shift > 0; shift -= 4) out += kDigits[(hash >> (shift - 4)) & 15U];
  }
  return out + ".prefix";
}

std::uint64_t prefix_checksum(std::span<const std::byte> state) {
  return fold_bytes(kStateSeed, state);
}

std::vector<std::byte> encode_prefix_head(const PrefixFileHead& head) {
  HeadWriter writer;
  writer.bytes(std::as_bytes(std::span(kMagic)));
  writer.number(kVersion);
  writer.number(std::uint32_t{0});  // the length, set below
  writer.text(head.key.model);
  writer.text(head.key.space.adapter);
  writer.text(head.key.space.tenant);
  writer.text(head.key.space.salt);
  writer.number(static_cast<std::uint32_t>(head.key.tokens.size()));
  writer.bytes(std::as_bytes(std::span(head.key.tokens)));
  writer.number(head.state_bytes);
  writer.number(head.state_checksum);
  const auto length = static_cast<std::uint32_t>(writer.out().size() + sizeof(std::uint64_t));
  std::memcpy(writer.out().data() + kMagic.size() + sizeof(kVersion), &length, sizeof(length));
  writer.number(fold_bytes(kHeadSeed, writer.out()));
  return std::move(writer.out());
}

Result<std::size_t> prefix_head_bytes(std::span<const std::byte> start) {
  if (start.size() < kPrefixFileStart) return broken("cut off");
  if (std::memcmp(start.data(), kMagic.data(), kMagic.size()) != 0) return broken("foreign");
  HeadReader reader(start.subspan(kMagic.size()));
  if (reader.number<std::uint32_t>() != kVersion) return broken("another version");
  const std::size_t length = reader.number<std::uint32_t>();
  if (length < kPrefixFileStart || length > kPrefixHeadBytesMax)
    return broken("its length is wrong");
  return length;
}

Result<PrefixFileHead> decode_prefix_head(std::span<const std::byte> bytes) {
  CORTEX_ASSIGN_OR_RETURN(const std::size_t length, prefix_head_bytes(bytes));
  constexpr std::size_t kSum = sizeof(std::uint64_t);
  if (length != bytes.size() || length < kPrefixFileStart + kSum) return broken("cut off");
  const auto said = bytes.first(length - kSum);
  if (HeadReader(bytes.last(kSum)).number<std::uint64_t>() != fold_bytes(kHeadSeed, said)) {
    return broken("damaged");
  }
  HeadReader reader(said.subspan(kPrefixFileStart));
  PrefixFileHead out;
  out.key.model = reader.text();
  out.key.space.adapter = reader.text();
  out.key.space.tenant = reader.text();
  out.key.space.salt = reader.text();
  out.key.tokens = reader.tokens();
  out.state_bytes = reader.number<std::uint64_t>();
  out.state_checksum = reader.number<std::uint64_t>();
  if (!reader.finished()) return broken("its parts do not fit");
  return out;
}

}  // namespace cortex::cache
