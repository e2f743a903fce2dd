// SPDX-License-Identifier: Apache-2.0
// The input is an adapter's file (GGUF), as it is, and as the beginning of a long one. Whatever it
// says, it is refused with a reason, or every tensor lies within the file, can be multiplied and
// has finite numbers.
#include <cstddef>
#include <cstdint>
#include <sstream>
#include <string>
#include <string_view>

#include "backend/llama/detail/adapter_check.h"
#include "backend/llama/detail/finite_numbers.h"
#include "backend/llama/detail/tensor_type.h"
#include "base/check.h"

namespace {

using cortex::backend::AdapterBase;
using cortex::backend::multiplied_type;
using cortex::backend::TensorOutline;

// The model of testing::tiny_gguf() with a matrix of its own at its end, and experts.
AdapterBase make_base() {
  AdapterBase out;
  out.architecture = "llama";
  out.tensors["token_embd.weight"] = {{32, 260, 1, 1}, 0};
  out.tensors["output.weight"] = {{32, 260, 1, 1}, 0};
  out.tensors["blk.0.attn_q.weight"] = {{32, 32, 1, 1}, 0};
  out.tensors["blk.1.attn_q.weight"] = {{32, 32, 1, 1}, 0};
  out.tensors["blk.0.ffn_up_exps.weight"] = {{32, 64, 4, 1}, 0};
  return out;
}

// Its bytes at least: more where a row is not whole blocks, which is refused.
std::uint64_t bytes_of(const TensorOutline& tensor) {
  const auto* type = multiplied_type(tensor.type);
  CHECK(type != nullptr, "what was read can be multiplied");
  std::uint64_t out = type->block_bytes;
  for (const std::uint64_t side : tensor.sides) out *= side;
  return out / type->block;
}

// Numbers that are not in `bytes` cannot be read, which is refused, too.
void check_numbers(std::string_view bytes, const cortex::backend::AdapterHead& head) {
  std::istringstream file{std::string(bytes)};
  const auto status = cortex::backend::check_adapter_numbers(head, file);
  CHECK(status.ok() || !status.text().empty(), "a refusal of numbers says why");
  for (const auto& place : head.places) {
    if (!status.ok()) return;
    CHECK(place.begin + place.bytes <= bytes.size(), "what was read is there");
    CHECK(
        cortex::backend::numbers_are_finite(
            *multiplied_type(place.type), bytes.substr(place.begin, place.bytes)
        ),
        "what was taken is finite"
    );
  }
}

void check_file(std::string_view bytes, std::uint64_t file_bytes) {
  static const AdapterBase kBase = make_base();
  const auto head = cortex::backend::read_adapter_head(bytes, file_bytes);
  const auto status = cortex::backend::check_adapter(bytes, file_bytes, kBase);
  CHECK(status.ok() || !status.text().empty(), "a refusal says why");
  CHECK(head.ok() || !status.ok(), "what cannot be read is refused");
  if (!head.ok()) return;
  std::uint64_t all = 0;
  for (const auto& [name, tensor] : head->tensors) {
    CHECK(bytes_of(tensor) > 0, "a tensor has numbers");
    all += bytes_of(tensor);
  }
  CHECK(all <= file_bytes, "all numbers lie within the file");
  check_numbers(bytes, *head);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  check_file(bytes, size);
  check_file(bytes, size + (std::uint64_t{1} << 40));
  return 0;
}
