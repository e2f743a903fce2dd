// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace cortex::backend {

// Most bytes in front of an adapter's numbers.
inline constexpr std::size_t kAdapterHeadMax = std::size_t{16} << 20;

// Sides and type (GGML_TYPE_…) of a tensor; the fastest side comes first, sides that it does not
// have are 1.
struct TensorOutline {
  std::array<std::uint64_t, 4> sides = {1, 1, 1, 1};
  std::uint32_t type = 0;
};
using TensorOutlines = std::map<std::string, TensorOutline, std::less<>>;

// One value of a GGUF file's facts, as its bytes; a text's are the text. Of a list the kind alone.
struct GgufFact {
  std::uint32_t kind = 0;  // GGUF_TYPE_…
  bool list = false;
  std::string_view bytes;
};

// Where in its file a tensor's numbers lie, in bytes.
struct TensorPlace {
  std::string name;
  std::uint32_t type = 0;  // GGML_TYPE_…, one that can be multiplied
  std::uint64_t begin = 0;
  std::uint64_t bytes = 0;  // whole blocks of the type
};

// What stands in front of an adapter's numbers. Its facts point into the bytes that were read.
struct AdapterHead {
  std::map<std::string, GgufFact, std::less<>> facts;
  TensorOutlines tensors;
  std::vector<TensorPlace> places;  // of all tensors, in the order of the file
};

// Reads the head of a GGUF file from the file's first bytes, without the library, which looks at
// less: every tensor has one to four sides, a type that can be multiplied, a name of its own, and
// lies behind the one before and within the file. kInvalidArgument names tensor or key and reason.
[[nodiscard]] Result<AdapterHead> read_adapter_head(
    std::string_view bytes, std::uint64_t file_bytes
);

}  // namespace cortex::backend
