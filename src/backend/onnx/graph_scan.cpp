// SPDX-License-Identifier: Apache-2.0
#include "backend/onnx/graph_scan.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <fstream>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace cortex::backend {
namespace {

// protobuf's own limit: the engine refuses what is nested deeper.
constexpr int kDepthMax = 100;
// Longer than every name that is looked for.
constexpr std::uint64_t kNameBytesMax = 64;

struct OperatorName {
  std::string_view domain;
  std::string_view type;
};
constexpr std::array<OperatorName, 4> kBatchWide = {
    OperatorName{"", "DynamicQuantizeLinear"},
    OperatorName{"ai.onnx", "DynamicQuantizeLinear"},
    OperatorName{"com.microsoft", "DynamicQuantizeMatMul"},
    OperatorName{"com.microsoft", "DynamicQuantizeLSTM"},
};

// Bytes by position: of memory, or of a file through a window that moves.
class Source {
 public:
  explicit Source(std::span<const std::byte> bytes) : size_(bytes.size()), window_(bytes) {}
  explicit Source(std::ifstream& file, std::uint64_t size)
      : file_(&file), size_(size), block_(kWindowBytes) {}

  [[nodiscard]] std::uint64_t size() const { return size_; }

  // `length` bytes from `position` on; nothing behind the end. REQUIRES: length <= kNameBytesMax.
  [[nodiscard]] std::optional<std::span<const std::byte>> read(
      std::uint64_t position, std::size_t length
  ) {
    if (position > size_ || length > size_ - position) return std::nullopt;
    if (position < start_ || position + length > start_ + window_.size()) {
      if (file_ == nullptr || !move_to(position)) return std::nullopt;
      if (length > window_.size()) return std::nullopt;
    }
    return window_.subspan(position - start_, length);
  }

 private:
  static constexpr std::size_t kWindowBytes = 16384;

  bool move_to(std::uint64_t position) {
    file_->clear();
    file_->seekg(static_cast<std::streamoff>(position));
    file_->read(reinterpret_cast<char*>(block_.data()), static_cast<std::streamsize>(kWindowBytes));
    start_ = position;
    window_ = std::span(block_).first(static_cast<std::size_t>(file_->gcount()));
    return !window_.empty();
  }

  std::ifstream* file_ = nullptr;
  std::uint64_t size_;
  std::vector<std::byte> block_;
  std::uint64_t start_ = 0;
  std::span<const std::byte> window_;
};

enum class Kind : std::uint8_t { kModel, kGraph, kNode, kAttribute, kFunction };

// The messages worth reading inside a message, by field number; all others are skipped.
std::optional<Kind> child(Kind parent, std::uint64_t field) {
  switch (parent) {
    case Kind::kModel:
      if (field == 7) return Kind::kGraph;
      if (field == 25) return Kind::kFunction;
      break;
    case Kind::kGraph:
      if (field == 1) return Kind::kNode;
      break;
    case Kind::kNode:
      if (field == 5) return Kind::kAttribute;
      break;
    case Kind::kAttribute:
      if (field == 6 || field == 11) return Kind::kGraph;
      break;
    case Kind::kFunction:
      if (field == 7) return Kind::kNode;
      break;
  }
  return std::nullopt;
}

class Scan {
 public:
  explicit Scan(Source& source) : source_(source) {}

  Result<bool> run() {
    if (!message(Kind::kModel, {0, source_.size()}, 0))
      return invalid_argument("not an ONNX model");
    if (!graph_seen_) return invalid_argument("an ONNX model without a graph");
    return found_;
  }

 private:
  struct Range {
    std::uint64_t at;
    std::uint64_t end;
  };
  struct Node {
    std::string domain;
    std::string type;
  };

  // False when the bytes are no message; stops early once the answer is known.
  bool message(Kind kind, Range range, int depth) {
    if (depth > kDepthMax) return false;
    graph_seen_ = graph_seen_ || kind == Kind::kGraph;
    Node node;
    while (range.at < range.end && !found_) {
      if (!field(kind, range, node, depth)) return false;
    }
    if (kind == Kind::kNode) judge(node);
    return true;
  }

  bool field(Kind kind, Range& range, Node& node, int depth) {
    const auto key = varint(range);
    if (!key || *key >> 3 == 0) return false;
    switch (*key & 7) {
      case 0:
        return varint(range).has_value();
      case 1:
        return skip(range, 8);
      case 5:
        return skip(range, 4);
      case 2:
        return block(kind, *key >> 3, range, node, depth);
      default:
        return false;
    }
  }

  bool block(Kind kind, std::uint64_t number, Range& range, Node& node, int depth) {
    constexpr std::uint64_t kOpType = 4;
    constexpr std::uint64_t kDomain = 7;
    const auto length = varint(range);
    if (!length || *length > range.end - range.at) return false;
    const Range inner{range.at, range.at + *length};
    range.at = inner.end;
    if (const auto next = child(kind, number)) return message(*next, inner, depth + 1);
    if (kind != Kind::kNode) return true;
    if (number == kOpType) return name(inner, node.type);
    return number != kDomain || name(inner, node.domain);
  }

  bool name(Range range, std::string& out) {
    const std::uint64_t length = std::min(range.end - range.at, kNameBytesMax);
    const auto bytes = source_.read(range.at, static_cast<std::size_t>(length));
    if (!bytes) return false;
    out.assign(reinterpret_cast<const char*>(bytes->data()), bytes->size());
    return true;
  }

  void judge(const Node& node) {
    found_ = found_ || std::any_of(kBatchWide.begin(), kBatchWide.end(), [&](const auto& known) {
               return known.type == node.type && known.domain == node.domain;
             });
  }

  static bool skip(Range& range, std::uint64_t length) {
    if (length > range.end - range.at) return false;
    range.at += length;
    return true;
  }

  std::optional<std::uint64_t> varint(Range& range) {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 64 && range.at < range.end; shift += 7) {
      const auto byte = source_.read(range.at, 1);
      if (!byte) return std::nullopt;
      ++range.at;
      const auto bits = std::to_integer<std::uint64_t>((*byte)[0]);
      value |= (bits & 0x7F) << shift;
      if (bits < 0x80) return value;
    }
    return std::nullopt;
  }

  Source& source_;
  bool found_ = false;
  bool graph_seen_ = false;
};

}  // namespace

Result<bool> quantizes_dynamically(std::span<const std::byte> model) {
  Source source(model);
  return Scan(source).run();
}

Result<bool> quantizes_dynamically(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary | std::ios::ate);
  const std::streamoff size = in ? static_cast<std::streamoff>(in.tellg()) : -1;
  if (size < 0) return invalid_argument(file.filename().string() + " cannot be read");
  Source source(in, static_cast<std::uint64_t>(size));
  return Scan(source).run();
}

}  // namespace cortex::backend
