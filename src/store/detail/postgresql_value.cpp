// SPDX-License-Identifier: Apache-2.0
#include "store/detail/postgresql_value.h"

#include <array>
#include <charconv>
#include <cstdint>
#include <system_error>

#include "base/check.h"

namespace cortex::store {
namespace {

// From PostgreSQL's catalog; these numbers never change.
constexpr Oid32 kBool = 16;
constexpr Oid32 kInt8 = 20;
constexpr Oid32 kInt2 = 21;
constexpr Oid32 kInt4 = 23;
constexpr Oid32 kTextOid = 25;
constexpr Oid32 kOid = 26;
constexpr Oid32 kFloat4 = 700;
constexpr Oid32 kFloat8 = 701;
constexpr Oid32 kNumeric = 1700;

constexpr int kTextFormat = 0;
constexpr int kBinaryFormat = 1;

Oid32 type_of(const Value& value) {
  if (std::holds_alternative<std::int64_t>(value)) return kInt8;
  if (std::holds_alternative<double>(value)) return kFloat8;
  return std::holds_alternative<std::string>(value) ? kTextOid : 0;
}

Oid32 wider(Oid32 a, Oid32 b) {
  if (a == 0 || b == 0) return a + b;
  if (a == kTextOid || b == kTextOid) return kTextOid;
  return a == kFloat8 || b == kFloat8 ? kFloat8 : kInt8;
}

template <typename Number>
std::string text_of(Number number) {
  std::array<char, 32> buffer{};
  const auto [end, fault] = std::to_chars(buffer.data(), buffer.data() + buffer.size(), number);
  CHECK(fault == std::errc(), "a number fits into 32 characters");
  return {buffer.data(), end};
}

template <typename Number>
bool parse_number(std::string_view text, Number& number) {
  const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), number);
  return fault == std::errc() && end == text.data() + text.size();
}

// A sum of integers and an average are numerics: "12", "12.5000".
Value parse_numeric(std::string_view text) {
  std::string_view whole = text;
  if (const std::size_t point = text.find('.'); point != std::string_view::npos) {
    if (text.find_first_not_of('0', point + 1) == std::string_view::npos) {
      whole = text.substr(0, point);
    }
  }
  if (std::int64_t integer = 0; parse_number(whole, integer)) return integer;
  double real = 0;
  return parse_number(text, real) ? Value(real) : Value(std::string(text));
}

template <typename Number>
Value parse_as(std::string_view text) {
  Number number{};
  CHECK(parse_number(text, number), "the server writes numbers");
  return number;
}

}  // namespace

std::vector<Oid32> parameter_types(std::size_t width, std::span<const Value> parameters) {
  std::vector<Oid32> types(width, 0);
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    types[i % width] = wider(types[i % width], type_of(parameters[i]));
  }
  return types;
}

BoundParameters::BoundParameters(std::span<const Value> parameters)
    : numbers_(parameters.size()),
      values_(parameters.size(), nullptr),
      lengths_(parameters.size(), 0),
      formats_(parameters.size(), kTextFormat) {
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    if (const auto* text = std::get_if<std::string>(&parameters[i])) {
      // Binary text is its bytes.
      values_[i] = text->data();
      lengths_[i] = static_cast<int>(text->size());
      formats_[i] = kBinaryFormat;
    } else if (const auto* integer = std::get_if<std::int64_t>(&parameters[i])) {
      numbers_[i] = text_of(*integer);
      values_[i] = numbers_[i].c_str();
    } else if (const auto* real = std::get_if<double>(&parameters[i])) {
      numbers_[i] = text_of(*real);
      values_[i] = numbers_[i].c_str();
    }
  }
}

Value parse_value(Oid32 type, std::string_view text) {
  switch (type) {
    case kBool:
      return std::int64_t{text == "t" ? 1 : 0};
    case kInt2:
    case kInt4:
    case kInt8:
    case kOid:
      return parse_as<std::int64_t>(text);
    case kFloat4:
    case kFloat8:
      return parse_as<double>(text);
    case kNumeric:
      return parse_numeric(text);
    default:
      return std::string(text);
  }
}

}  // namespace cortex::store
