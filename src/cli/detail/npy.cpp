// SPDX-License-Identifier: Apache-2.0
#include "cli/detail/npy.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <optional>

#include "base/json_text.h"

namespace cortex::cli::detail {
namespace {

constexpr std::string_view kMagic = "\x93NUMPY";
constexpr std::size_t kHeaderBytesMax = 1 << 20;
constexpr std::size_t kDimensionsMax = 32;

struct Pair {
  std::string_view datatype;
  std::string_view numpy;
  std::size_t bytes;
};
constexpr Pair kTypes[] = {
    {"BOOL", "|b1", 1},
    {"UINT8", "|u1", 1},
    {"UINT16", "<u2", 2},
    {"UINT32", "<u4", 4},
    {"UINT64", "<u8", 8},
    {"INT8", "|i1", 1},
    {"INT16", "<i2", 2},
    {"INT32", "<i4", 4},
    {"INT64", "<i8", 8},
    {"FP16", "<f2", 2},
    {"FP32", "<f4", 4},
    {"FP64", "<f8", 8},
};

Status broken(std::string text) { return invalid_argument("not a .npy file: " + std::move(text)); }

// The value behind 'name': in the header's Python dictionary, up to the comma that ends it.
std::optional<std::string_view> field(std::string_view header, std::string_view name) {
  const std::string quoted = "'" + std::string(name) + "':";
  std::size_t at = header.find(quoted);
  if (at == std::string_view::npos) return std::nullopt;
  at = header.find_first_not_of(' ', at + quoted.size());
  if (at == std::string_view::npos) return std::nullopt;
  const char end = header[at] == '(' ? ')' : header[at] == '\'' ? '\'' : ',';
  const std::size_t stop = header.find(end, at + 1);
  if (stop == std::string_view::npos) return std::nullopt;
  return header.substr(at, stop - at + (end == ',' ? 0 : 1));
}

// "(2, 3)", "(2,)" and "()".
std::optional<std::vector<std::int64_t>> parse_shape(std::string_view text) {
  if (text.size() < 2 || text.front() != '(') return std::nullopt;
  text = text.substr(1, text.size() - 2);
  std::vector<std::int64_t> out;
  while (!text.empty()) {
    const std::size_t comma = std::min(text.find(','), text.size());
    std::string_view number = text.substr(0, comma);
    text.remove_prefix(std::min(comma + 1, text.size()));
    while (number.starts_with(' ')) number.remove_prefix(1);
    if (number.empty() && text.empty()) break;
    std::int64_t value = -1;
    const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), value);
    if (error != std::errc() || end != number.data() + number.size() || value < 0)
      return std::nullopt;
    if (out.size() == kDimensionsMax) return std::nullopt;
    out.push_back(value);
  }
  return out;
}

std::optional<std::size_t> element_count(const std::vector<std::int64_t>& shape) {
  std::size_t out = 1;
  for (const std::int64_t dimension : shape) {
    if (__builtin_mul_overflow(out, static_cast<std::size_t>(dimension), &out)) return std::nullopt;
  }
  return out;
}

void append_element(std::string& out, std::string_view text) {
  const auto length = static_cast<std::uint32_t>(text.size());
  out.append(reinterpret_cast<const char*>(&length), sizeof length).append(text);
}

void append_utf8(std::string& out, std::uint32_t code) {
  const auto put = [&](std::uint32_t byte) { out += static_cast<char>(byte); };
  if (code < 0x80) {
    put(code);
  } else if (code < 0x800) {
    put(0xC0 | code >> 6);
    put(0x80 | (code & 0x3F));
  } else if (code < 0x10000) {
    put(0xE0 | code >> 12);
    put(0x80 | (code >> 6 & 0x3F));
    put(0x80 | (code & 0x3F));
  } else {
    put(0xF0 | (code >> 18 & 7));
    put(0x80 | (code >> 12 & 0x3F));
    put(0x80 | (code >> 6 & 0x3F));
    put(0x80 | (code & 0x3F));
  }
}

std::string text_of(std::string_view cell, bool wide) {
  if (!wide) return std::string(cell.substr(0, cell.find_last_not_of('\0') + 1));
  std::string out;
  for (std::size_t i = 0; i + 4 <= cell.size(); i += 4) {
    std::uint32_t code = 0;
    std::memcpy(&code, cell.data() + i, sizeof code);
    if (code == 0) break;
    append_utf8(out, code);
  }
  return out;
}

// dtypes "|S5" and "<U5": cells of one width, padded with zeros.
Status read_texts(
    std::string_view type, std::string_view data, std::size_t count, TensorValue& out
) {
  const bool wide = type.starts_with("<U");
  std::size_t width = 0;
  const auto [end, error] = std::from_chars(type.data() + 2, type.data() + type.size(), width);
  if (error != std::errc() || end != type.data() + type.size() || width > kHeaderBytesMax) {
    return broken("its dtype '" + std::string(type) + "' is not readable");
  }
  width *= wide ? 4 : 1;
  std::size_t wanted = 0;
  if (__builtin_mul_overflow(width, count, &wanted) || wanted != data.size()) {
    return broken("its length does not fit its shape");
  }
  // Cells of no width cost nothing in the file; elements here do.
  if (width == 0 && count > kHeaderBytesMax) return broken("too many empty texts");
  out.datatype = "BYTES";
  for (std::size_t i = 0; i < count; ++i) {
    append_element(out.bytes, text_of(data.substr(i * width, width), wide));
  }
  return {};
}

Result<std::string_view> read_header(std::string_view file, std::string_view& data) {
  if (!file.starts_with(kMagic) || file.size() < 10) return broken("the first bytes are others");
  const auto version = static_cast<unsigned char>(file[6]);
  if (version < 1 || version > 3) return broken("its version is unknown");
  const std::size_t length_bytes = version == 1 ? 2 : 4;
  std::uint32_t length = 0;
  if (file.size() < 8 + length_bytes) return broken("it ends in its header");
  std::memcpy(&length, file.data() + 8, length_bytes);
  if (length > kHeaderBytesMax || file.size() < 8 + length_bytes + length) {
    return broken("it ends in its header");
  }
  data = file.substr(8 + length_bytes + length);
  return file.substr(8 + length_bytes, length);
}

template <typename T>
T load(const char* from) {
  T out;
  std::memcpy(&out, from, sizeof out);
  return out;
}

float half_to_float(std::uint16_t half) {
  const std::uint32_t sign = static_cast<std::uint32_t>(half & 0x8000u) << 16;
  const int exponent = half >> 10 & 0x1F;
  const auto fraction = static_cast<float>(half & 0x3FFu);
  float out = 0;
  if (exponent == 0) {
    out = __builtin_ldexpf(fraction, -24);
  } else if (exponent == 31) {
    out = fraction == 0 ? __builtin_inff() : __builtin_nanf("");
  } else {
    out = __builtin_ldexpf(fraction + 1024, exponent - 25);
  }
  return sign != 0 ? -out : out;
}

float bfloat_to_float(std::uint16_t bits) {
  const std::uint32_t wide = static_cast<std::uint32_t>(bits) << 16;
  return load<float>(reinterpret_cast<const char*>(&wide));
}

std::string number_text(std::string_view type, const char* at) {
  std::string out;
  if (type == "BOOL") return *at != 0 ? "true" : "false";
  if (type == "UINT8") return std::to_string(load<std::uint8_t>(at));
  if (type == "UINT16") return std::to_string(load<std::uint16_t>(at));
  if (type == "UINT32") return std::to_string(load<std::uint32_t>(at));
  if (type == "UINT64") return std::to_string(load<std::uint64_t>(at));
  if (type == "INT8") return std::to_string(load<std::int8_t>(at));
  if (type == "INT16") return std::to_string(load<std::int16_t>(at));
  if (type == "INT32") return std::to_string(load<std::int32_t>(at));
  if (type == "INT64") return std::to_string(load<std::int64_t>(at));
  if (type == "FP64") {
    append_json_number(out, load<double>(at));
  } else if (type == "FP16") {
    append_json_number(out, half_to_float(load<std::uint16_t>(at)));
  } else if (type == "BF16") {
    append_json_number(out, bfloat_to_float(load<std::uint16_t>(at)));
  } else {
    append_json_number(out, load<float>(at));
  }
  return out;
}

// The elements of a BYTES tensor; stops where the bytes do.
std::vector<std::string_view> elements(std::string_view bytes) {
  std::vector<std::string_view> out;
  while (bytes.size() >= 4) {
    const std::size_t length =
        std::min<std::size_t>(load<std::uint32_t>(bytes.data()), bytes.size() - 4);
    out.push_back(bytes.substr(4, length));
    bytes.remove_prefix(4 + length);
  }
  return out;
}

std::string npy_file(std::string_view type, const TensorValue& tensor, std::string_view data) {
  std::string shape = "(";
  for (const std::int64_t dimension : tensor.shape) shape += std::to_string(dimension) + ", ";
  std::string header =
      "{'descr': '" + std::string(type) + "', 'fortran_order': False, 'shape': " + shape + "), }";
  // The data starts at a multiple of 64.
  header.append(63 - (10 + header.size()) % 64, ' ');
  header += '\n';
  const auto length = static_cast<std::uint16_t>(header.size());
  std::string out(kMagic);
  out.append("\x01\x00", 2).append(reinterpret_cast<const char*>(&length), 2);
  return out.append(header).append(data);
}

}  // namespace

std::size_t element_bytes(std::string_view datatype) {
  if (datatype == "BF16") return 2;
  const auto* found = std::ranges::find(kTypes, datatype, &Pair::datatype);
  return found == std::end(kTypes) ? 0 : found->bytes;
}

Result<TensorValue> parse_npy(std::string_view file) {
  std::string_view data;
  CORTEX_ASSIGN_OR_RETURN(const std::string_view header, read_header(file, data));
  auto type = field(header, "descr");
  const auto order = field(header, "fortran_order");
  const auto shape_field = field(header, "shape");
  if (!type || type->size() < 4 || !order || !shape_field)
    return broken("its header is incomplete");
  type = type->substr(1, type->size() - 2);
  if (!order->starts_with("False"))
    return invalid_argument("a .npy file in Fortran order is not supported");
  auto shape = parse_shape(*shape_field);
  const auto count = shape ? element_count(*shape) : std::nullopt;
  if (!count) return broken("its shape is not readable");
  TensorValue out;
  out.shape = std::move(*shape);
  if (type->starts_with("|S") || type->starts_with("<U")) {
    CORTEX_RETURN_IF_ERROR(read_texts(*type, data, *count, out));
    return out;
  }
  const auto* found = std::ranges::find(kTypes, *type, &Pair::numpy);
  if (found == std::end(kTypes))
    return invalid_argument("the dtype '" + std::string(*type) + "' is not supported");
  std::size_t wanted = 0;
  if (__builtin_mul_overflow(*count, found->bytes, &wanted) || wanted != data.size()) {
    return broken("its length does not fit its shape");
  }
  out.datatype = found->datatype;
  out.bytes = data;
  return out;
}

Result<std::string> write_npy(const TensorValue& tensor) {
  if (tensor.datatype == "BYTES") {
    const auto all = elements(tensor.bytes);
    std::size_t width = 1;
    for (const std::string_view element : all) width = std::max(width, element.size());
    std::string data;
    for (const std::string_view element : all) {
      data.append(element).append(width - element.size(), '\0');
    }
    return npy_file("|S" + std::to_string(width), tensor, data);
  }
  const auto* found = std::ranges::find(kTypes, tensor.datatype, &Pair::datatype);
  if (found == std::end(kTypes))
    return invalid_argument("NumPy has no dtype for " + tensor.datatype);
  return npy_file(found->numpy, tensor, tensor.bytes);
}

std::string first_values(const TensorValue& tensor, std::size_t count) {
  std::vector<std::string> texts;
  std::size_t total = 0;
  if (tensor.datatype == "BYTES") {
    const auto all = elements(tensor.bytes);
    total = all.size();
    for (const std::string_view element : all) {
      if (texts.size() == count) break;
      append_json_string(texts.emplace_back(), element);
    }
  } else if (const std::size_t size = element_bytes(tensor.datatype); size != 0) {
    total = tensor.bytes.size() / size;
    for (std::size_t i = 0; i < std::min(count, total); ++i) {
      texts.push_back(number_text(tensor.datatype, tensor.bytes.data() + i * size));
    }
  }
  std::string out;
  for (const std::string& text : texts) out += (out.empty() ? "" : ", ") + text;
  return total > texts.size() ? out + ", …" : out;
}

}  // namespace cortex::cli::detail
