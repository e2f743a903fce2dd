// SPDX-License-Identifier: Apache-2.0
#include "backend/llama/detail/adapter_check.h"

#include <ggml.h>
#include <gguf.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <fstream>
#include <system_error>

#include "backend/llama/detail/finite_numbers.h"
#include "backend/llama/detail/tensor_type.h"
#include "base/check.h"

namespace cortex::backend {
namespace {

constexpr std::string_view kFirst = ".lora_a";
constexpr std::string_view kSecond = ".lora_b";
constexpr std::string_view kEmbedding = "token_embd.weight";
constexpr std::size_t kPieceMax = std::size_t{1} << 20;

struct AdapterPair {
  std::string_view name;  // of the model's tensor
  const TensorOutline& a;
  const TensorOutline& b;
};

Status pair_fault(std::string_view name, const std::string& why) {
  return invalid_argument("tensor '" + std::string(name) + "' " + why);
}

std::string sides_text(const TensorOutline& tensor) {
  std::string out;
  for (const std::uint64_t side : tensor.sides) {
    out += (out.empty() ? "" : " x ") + std::to_string(side);
  }
  return out;
}

// The library ends the process over a text that is none.
Status check_text(const AdapterHead& head, std::string_view key, std::string_view wanted) {
  const auto found = head.facts.find(key);
  const std::string name(key);
  if (found == head.facts.end()) return invalid_argument("it has no " + name);
  const GgufFact& fact = found->second;
  if (fact.list || fact.kind != GGUF_TYPE_STRING) return invalid_argument(name + " is no text");
  if (fact.bytes == wanted) return {};
  return invalid_argument(name + " is not '" + std::string(wanted) + "'");
}

Status check_alpha(const AdapterHead& head) {
  const auto found = head.facts.find("adapter.lora.alpha");
  if (found == head.facts.end()) return {};
  const GgufFact& fact = found->second;
  float alpha = NAN;
  if (!fact.list && fact.kind == GGUF_TYPE_FLOAT32) {
    std::memcpy(&alpha, fact.bytes.data(), sizeof(alpha));
  }
  if (std::isfinite(alpha)) return {};
  return invalid_argument("adapter.lora.alpha is no finite number of 32 bits");
}

Status check_facts(const AdapterHead& head, const AdapterBase& base) {
  CORTEX_RETURN_IF_ERROR(check_text(head, "general.type", "adapter"));
  CORTEX_RETURN_IF_ERROR(check_text(head, "general.architecture", base.architecture));
  CORTEX_RETURN_IF_ERROR(check_text(head, "adapter.type", "lora"));
  CORTEX_RETURN_IF_ERROR(check_alpha(head));
  // From its first token on it would be another adapter than was trained.
  if (!head.facts.contains("adapter.alora.invocation_tokens")) return {};
  return invalid_argument("it begins at tokens of its own (aLoRA), which is not supported");
}

// The sides beyond the second are the model's, experts among them; the library does not look.
Status check_depth(const AdapterPair& pair, const TensorOutline& target) {
  for (const std::size_t i : {2U, 3U}) {
    if (pair.a.sides[i] == target.sides[i] && pair.b.sides[i] == target.sides[i]) continue;
    return pair_fault(
        pair.name, "is " + sides_text(target) + " in the model and has other layers in the adapter"
    );
  }
  return {};
}

Status check_sides(const AdapterPair& pair, const TensorOutline& target) {
  // Rows of `a` are looked up by token there, so the two are the other way round.
  const bool flipped = pair.name.ends_with(kEmbedding);
  const std::uint64_t in = flipped ? pair.b.sides[1] : pair.a.sides[0];
  const std::uint64_t out = flipped ? pair.a.sides[1] : pair.b.sides[1];
  const std::uint64_t rank = flipped ? pair.a.sides[0] : pair.a.sides[1];
  if (in != target.sides[0] || out != target.sides[1]) {
    return pair_fault(
        pair.name,
        "is " + sides_text(target) + " in the model; lora_a is " + sides_text(pair.a) +
            " and lora_b " + sides_text(pair.b)
    );
  }
  if (rank != pair.b.sides[0]) {
    return pair_fault(pair.name, "has one rank in lora_a and another in lora_b");
  }
  return check_depth(pair, target);
}

Status check_pair(const AdapterPair& pair, const AdapterBase& base) {
  const auto target = base.tensors.find(pair.name);
  if (target == base.tensors.end()) return pair_fault(pair.name, "is not in the model");
  // One matrix for both ends of the model: the library would multiply with the pair as it is made
  // for looking up.
  if (pair.name == kEmbedding && !base.tensors.contains("output.weight")) {
    return pair_fault(pair.name, "is the model's last matrix, too, and cannot be adapted");
  }
  if (target->second.type == GGML_TYPE_NVFP4 && pair.name.find(".ffn_") != pair.name.npos) {
    return pair_fault(pair.name, "is of the type NVFP4 in the model, and cannot be adapted");
  }
  return check_sides(pair, target->second);
}

// The tensor's name in the model where it is one of a pair, else empty.
std::string_view adapted(std::string_view name) {
  if (!name.ends_with(kFirst) && !name.ends_with(kSecond)) return {};
  return name.substr(0, name.size() - kFirst.size());
}

Status check_tensors(const AdapterHead& head, const AdapterBase& base) {
  std::size_t pairs = 0;
  for (const auto& [name, tensor] : head.tensors) {
    const std::string_view target = adapted(name);
    if (target.empty()) {
      if (name.ends_with("_norm.weight")) continue;  // the library leaves them out
      return pair_fault(name, "is none of an adapter");
    }
    // The library takes these parts out of a name wherever they are.
    if (target.find(kFirst) != target.npos || target.find(kSecond) != target.npos) {
      return pair_fault(name, "is none of an adapter");
    }
    const bool first = name.ends_with(kFirst);
    const auto other =
        head.tensors.find(std::string(target) + std::string(first ? kSecond : kFirst));
    if (other == head.tensors.end()) return pair_fault(name, "has no second one");
    if (!first) continue;
    CORTEX_RETURN_IF_ERROR(check_pair({target, tensor, other->second}, base));
    ++pairs;
  }
  return pairs != 0 ? Status() : invalid_argument("it adapts nothing");
}

Status check_tensor_numbers(const TensorPlace& tensor, std::istream& file, std::string& piece) {
  const TensorType* type = multiplied_type(tensor.type);
  CHECK(type != nullptr, "a tensor that was read can be multiplied");
  const std::uint64_t most = kPieceMax / type->block_bytes * type->block_bytes;
  file.seekg(static_cast<std::streamoff>(tensor.begin));
  for (std::uint64_t left = tensor.bytes; left > 0; left -= piece.size()) {
    piece.resize(static_cast<std::size_t>(std::min(left, most)));
    if (!file.read(piece.data(), static_cast<std::streamsize>(piece.size()))) {
      return pair_fault(tensor.name, "cannot be read");
    }
    if (numbers_are_finite(*type, piece)) continue;
    return pair_fault(tensor.name, "has a number that is not finite (NaN or infinite)");
  }
  return {};
}

Status check_head(const AdapterHead& head, const AdapterBase& base) {
  CORTEX_RETURN_IF_ERROR(check_facts(head, base));
  return check_tensors(head, base);
}

}  // namespace

Status check_adapter(std::string_view head, std::uint64_t file_bytes, const AdapterBase& base) {
  CORTEX_ASSIGN_OR_RETURN(const AdapterHead read, read_adapter_head(head, file_bytes));
  return check_head(read, base);
}

Status check_adapter_numbers(const AdapterHead& head, std::istream& file) {
  std::string piece;
  for (const TensorPlace& tensor : head.places) {
    CORTEX_RETURN_IF_ERROR(check_tensor_numbers(tensor, file, piece));
  }
  return {};
}

Status check_adapter_file(const std::filesystem::path& file, const AdapterBase& base) {
  std::error_code error;
  const std::uint64_t bytes = std::filesystem::file_size(file, error);
  std::ifstream stream(file, std::ios::binary);
  if (error || !stream) return invalid_argument("it cannot be read");
  std::string head(static_cast<std::size_t>(std::min<std::uint64_t>(bytes, kAdapterHeadMax)), 0);
  stream.read(head.data(), static_cast<std::streamsize>(head.size()));
  head.resize(static_cast<std::size_t>(std::max<std::streamsize>(stream.gcount(), 0)));
  stream.clear();
  CORTEX_ASSIGN_OR_RETURN(const AdapterHead read, read_adapter_head(head, bytes));
  CORTEX_RETURN_IF_ERROR(check_head(read, base));
  return check_adapter_numbers(read, stream);
}

}  // namespace cortex::backend
