// SPDX-License-Identifier: Apache-2.0
#include "request/datatype.h"

#include <array>

namespace cortex {
namespace {

struct Row {
  std::string_view name;
  std::size_t size;
};

// In the order of the enumeration.
constexpr std::array<Row, 14> kRows = {
    Row{"BOOL", 1},
    Row{"UINT8", 1},
    Row{"UINT16", 2},
    Row{"UINT32", 4},
    Row{"UINT64", 8},
    Row{"INT8", 1},
    Row{"INT16", 2},
    Row{"INT32", 4},
    Row{"INT64", 8},
    Row{"FP16", 2},
    Row{"BF16", 2},
    Row{"FP32", 4},
    Row{"FP64", 8},
    Row{"BYTES", 0},
};

}  // namespace

std::string_view datatype_name(DataType type) {
  return kRows.at(static_cast<std::size_t>(type)).name;
}

std::optional<DataType> parse_datatype(std::string_view name) {
  for (std::size_t i = 0; i < kRows.size(); ++i) {
    if (kRows[i].name == name) return static_cast<DataType>(i);
  }
  return std::nullopt;
}

std::size_t element_size(DataType type) { return kRows.at(static_cast<std::size_t>(type)).size; }

}  // namespace cortex
