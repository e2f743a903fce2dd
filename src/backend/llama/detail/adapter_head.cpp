// SPDX-License-Identifier: Apache-2.0
#include "backend/llama/detail/adapter_head.h"

#include <gguf.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "backend/llama/detail/tensor_type.h"

namespace cortex::backend {
namespace {

// The library compares each with all before it.
constexpr std::uint64_t kFactsMax = 1024;
constexpr std::uint64_t kTensorsMax = 8192;
constexpr std::uint64_t kElementsMax = std::uint64_t{1} << 44;
constexpr std::uint32_t kVersionMin = 2;

// Reads on from where it is; nothing once it was short of bytes.
class GgufReader {
 public:
  explicit GgufReader(std::string_view bytes) : whole_(bytes.size()), left_(bytes) {}

  std::string_view take(std::uint64_t count) {
    short_ = short_ || count > left_.size();
    if (short_) return {};
    const std::string_view out = left_.substr(0, static_cast<std::size_t>(count));
    left_.remove_prefix(out.size());
    return out;
  }
  template <typename T>
  T number() {
    T out{};
    const std::string_view from = take(sizeof(T));
    if (!from.empty()) std::memcpy(&out, from.data(), sizeof(T));
    return out;
  }
  std::string_view text() { return take(number<std::uint64_t>()); }
  [[nodiscard]] bool is_short() const { return short_; }
  [[nodiscard]] std::uint64_t position() const { return whole_ - left_.size(); }

 private:
  const std::uint64_t whole_;
  std::string_view left_;
  bool short_ = false;
};

Status ends_early() { return invalid_argument("the file ends within its head"); }

Status tensor_fault(std::string_view name, const std::string& why) {
  return invalid_argument("tensor '" + std::string(name) + "' " + why);
}

// Names stand in messages and in the library's strings, which a zero ends.
bool is_name(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) { return c > ' ' && c <= '~'; });
}

std::uint64_t aligned(std::uint64_t size, std::uint64_t alignment) {
  return (size + alignment - 1) / alignment * alignment;
}

// Bytes of a value of that kind; 0: a text, a list, or no kind.
std::uint64_t value_bytes(std::uint32_t kind) {
  switch (kind) {
    case GGUF_TYPE_UINT8:
    case GGUF_TYPE_INT8:
    case GGUF_TYPE_BOOL:
      return 1;
    case GGUF_TYPE_UINT16:
    case GGUF_TYPE_INT16:
      return 2;
    case GGUF_TYPE_UINT32:
    case GGUF_TYPE_INT32:
    case GGUF_TYPE_FLOAT32:
      return 4;
    case GGUF_TYPE_UINT64:
    case GGUF_TYPE_INT64:
    case GGUF_TYPE_FLOAT64:
      return 8;
    default:
      return 0;
  }
}

// False: no such kind.
bool skip_list(GgufReader& reader, std::uint32_t kind, std::uint64_t count) {
  if (kind == GGUF_TYPE_STRING) {
    for (std::uint64_t i = 0; i < count && !reader.is_short(); ++i) reader.text();
    return true;
  }
  const std::uint64_t each = value_bytes(kind);
  // Beyond the longest head there is nothing to take, and the product may be anything.
  reader.take(count > kAdapterHeadMax ? kAdapterHeadMax + 1 : count * each);
  return each != 0;
}

Status read_fact(GgufReader& reader, AdapterHead& out) {
  const std::string_view key = reader.text();
  GgufFact fact;
  fact.kind = reader.number<std::uint32_t>();
  if (reader.is_short()) return ends_early();
  if (!is_name(key)) return invalid_argument("a key of its facts is no name");
  bool known = true;
  if (fact.kind == GGUF_TYPE_ARRAY) {
    fact.list = true;
    fact.kind = reader.number<std::uint32_t>();
    known = skip_list(reader, fact.kind, reader.number<std::uint64_t>());
  } else if (fact.kind == GGUF_TYPE_STRING) {
    fact.bytes = reader.text();
  } else {
    fact.bytes = reader.take(value_bytes(fact.kind));
    known = value_bytes(fact.kind) != 0;
  }
  if (reader.is_short()) return ends_early();
  if (!known)
    return invalid_argument("key '" + std::string(key) + "' has a kind that there is not");
  if (out.facts.emplace(key, fact).second) return {};
  return invalid_argument("key '" + std::string(key) + "' comes twice");
}

// Bytes of the tensor's numbers.
Result<std::uint64_t> size_of(std::string_view name, const TensorOutline& tensor) {
  const TensorType* type = multiplied_type(tensor.type);
  if (type == nullptr) {
    return tensor_fault(
        name, "has the type " + tensor_type_name(tensor.type) + ", which cannot be multiplied"
    );
  }
  std::uint64_t elements = 1;
  for (const std::uint64_t side : tensor.sides) {
    if (side == 0) return tensor_fault(name, "has a side of 0");
    if (side > kElementsMax / elements) return tensor_fault(name, "has too many elements");
    elements *= side;
  }
  if (tensor.sides[0] % type->block != 0) {
    return tensor_fault(
        name,
        "has rows of " + std::to_string(tensor.sides[0]) + " elements, no multiple of the " +
            std::to_string(type->block) + " of a block of " + std::string(type->name)
    );
  }
  return elements / type->block * type->block_bytes;
}

// It begins where the file says, counted from the first of all.
Result<TensorPlace> read_tensor(GgufReader& reader, AdapterHead& out) {
  const std::string_view name = reader.text();
  const auto sides = reader.number<std::uint32_t>();
  TensorOutline tensor;
  if (sides > tensor.sides.size()) return invalid_argument("a tensor has more than four sides");
  for (std::uint32_t i = 0; i < sides; ++i) tensor.sides[i] = reader.number<std::uint64_t>();
  tensor.type = reader.number<std::uint32_t>();
  const auto offset = reader.number<std::uint64_t>();
  if (reader.is_short()) return ends_early();
  if (!is_name(name) || name.size() >= GGML_MAX_NAME) {
    return invalid_argument("a tensor's name is none, or too long");
  }
  if (sides == 0) return tensor_fault(name, "has no sides");
  CORTEX_ASSIGN_OR_RETURN(const std::uint64_t bytes, size_of(name, tensor));
  if (!out.tensors.emplace(name, tensor).second) return tensor_fault(name, "comes twice");
  return TensorPlace{std::string(name), tensor.type, offset, bytes};
}

// 0: what the file says is none.
std::uint64_t alignment_of(const AdapterHead& head) {
  const auto found = head.facts.find("general.alignment");
  if (found == head.facts.end()) return GGUF_DEFAULT_ALIGNMENT;
  if (found->second.list || found->second.kind != GGUF_TYPE_UINT32) return 0;
  std::uint32_t out = 0;
  std::memcpy(&out, found->second.bytes.data(), sizeof(out));
  return (out & (out - 1)) == 0 ? out : 0;
}

Result<AdapterHead> read_all(GgufReader& reader, std::uint64_t file_bytes) {
  if (reader.take(4) != "GGUF") return invalid_argument("it is no GGUF file");
  const auto version = reader.number<std::uint32_t>();
  const auto tensors = reader.number<std::uint64_t>();
  const auto facts = reader.number<std::uint64_t>();
  if (reader.is_short()) return ends_early();
  if (version < kVersionMin || version > GGUF_VERSION) {
    return invalid_argument("its format has the version " + std::to_string(version));
  }
  if (facts > kFactsMax) return invalid_argument("it has more than 1024 facts");
  if (tensors > kTensorsMax) return invalid_argument("it has more than 8192 tensors");
  AdapterHead out;
  for (std::uint64_t i = 0; i < facts; ++i) CORTEX_RETURN_IF_ERROR(read_fact(reader, out));
  const std::uint64_t alignment = alignment_of(out);
  if (alignment == 0) return invalid_argument("its general.alignment is no power of two");
  for (std::uint64_t i = 0; i < tensors; ++i) {
    CORTEX_ASSIGN_OR_RETURN(TensorPlace tensor, read_tensor(reader, out));
    out.places.push_back(std::move(tensor));
  }
  std::uint64_t at = aligned(reader.position(), alignment);
  const std::uint64_t begin = at;
  for (TensorPlace& tensor : out.places) {
    if (tensor.begin != at - begin) return tensor_fault(tensor.name, "lies where it should not");
    if (at > file_bytes || tensor.bytes > file_bytes - at) {
      return tensor_fault(tensor.name, "ends behind the file's end");
    }
    tensor.begin = at;
    at = aligned(at + tensor.bytes, alignment);
  }
  return out;
}

}  // namespace

Result<AdapterHead> read_adapter_head(std::string_view bytes, std::uint64_t file_bytes) {
  GgufReader reader(bytes);
  auto out = read_all(reader, file_bytes);
  if (reader.is_short() && bytes.size() < file_bytes) {
    return invalid_argument("its head has more than 16 MiB");
  }
  return out;
}

}  // namespace cortex::backend
