// SPDX-License-Identifier: Apache-2.0
#include "registry/catalog/canonical_json.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <utility>
#include <vector>

#include <boost/json/basic_parser_impl.hpp>

#include "base/check.h"
#include "base/json_text.h"

namespace cortex::registry {
namespace {

namespace json = boost::json;

constexpr std::size_t kDepthMax = 64;

// The code point at the front of well-formed UTF-8, and how many bytes it takes.
std::pair<std::uint32_t, std::size_t> code_point(std::string_view utf8) {
  const auto byte = [utf8](std::size_t i) { return static_cast<unsigned char>(utf8[i]); };
  const auto tail = [&byte](std::size_t i) { return byte(i) & 0x3Fu; };
  if (byte(0) < 0x80) return {byte(0), 1};
  if (byte(0) < 0xE0) return {(byte(0) & 0x1Fu) << 6 | tail(1), 2};
  if (byte(0) < 0xF0) return {(byte(0) & 0x0Fu) << 12 | tail(1) << 6 | tail(2), 3};
  return {(byte(0) & 0x07u) << 18 | tail(1) << 12 | tail(2) << 6 | tail(3), 4};
}

// The first of the UTF-16 code units of a code point.
std::uint32_t first_unit(std::uint32_t code_point) {
  return code_point < 0x10000 ? code_point : 0xD800 + ((code_point - 0x10000) >> 10);
}

// Digits and exponent of the shortest text of a positive double: 0.d1d2d3… * 10^exponent.
struct Decimal {
  std::string digits;
  int exponent = 0;
};

Decimal shortest_decimal(double value) {
  std::array<char, 32> text{};
  const auto end =
      std::to_chars(text.data(), text.data() + text.size(), value, std::chars_format::scientific);
  const std::string_view all(text.data(), static_cast<std::size_t>(end.ptr - text.data()));
  const std::size_t mark = all.find('e');
  Decimal decimal;
  for (const char c : all.substr(0, mark)) {
    if (c != '.') decimal.digits.push_back(c);
  }
  const std::size_t sign = all[mark + 1] == '+' ? 1 : 0;
  std::from_chars(all.data() + mark + 1 + sign, all.data() + all.size(), decimal.exponent);
  ++decimal.exponent;
  return decimal;
}

// Number::toString of ECMAScript, which turns to exponents at 1e21 and below 1e-6.
void append_decimal(std::string& out, const Decimal& decimal) {
  const int length = static_cast<int>(decimal.digits.size());
  const int n = decimal.exponent;
  if (length <= n && n <= 21) {
    out.append(decimal.digits).append(static_cast<std::size_t>(n - length), '0');
    return;
  }
  if (0 < n && n <= 21) {
    const auto whole = static_cast<std::size_t>(n);
    out.append(decimal.digits, 0, whole).append(".").append(decimal.digits, whole);
    return;
  }
  if (-6 < n && n <= 0) {
    out.append("0.").append(static_cast<std::size_t>(-n), '0').append(decimal.digits);
    return;
  }
  out.push_back(decimal.digits.front());
  if (length > 1) out.append(".").append(decimal.digits, 1);
  out.append(n > 0 ? "e+" : "e-").append(std::to_string(std::abs(n - 1)));
}

// Writes what the parser finds as canonical text; an object is put in order when it ends.
class Canonicaliser {
 public:
  static constexpr std::size_t max_object_size = static_cast<std::size_t>(-1);
  static constexpr std::size_t max_array_size = static_cast<std::size_t>(-1);
  static constexpr std::size_t max_key_size = static_cast<std::size_t>(-1);
  static constexpr std::size_t max_string_size = static_cast<std::size_t>(-1);

  bool on_document_begin(json::error_code&) { return true; }
  bool on_document_end(json::error_code&) { return true; }
  bool on_object_begin(json::error_code&) { return open(); }
  bool on_array_begin(json::error_code&) { return open(); }
  bool on_object_end(std::size_t, json::error_code& error) {
    std::vector<Member> members = close();
    std::sort(members.begin(), members.end(), [](const Member& a, const Member& b) {
      return canonical_less(a.name, b.name);
    });
    const auto twice =
        std::adjacent_find(members.begin(), members.end(), [](const Member& a, const Member& b) {
          return a.name == b.name;
        });
    if (twice != members.end()) return refuse(error);
    std::string out = "{";
    for (const Member& member : members) {
      if (out.size() > 1) out.push_back(',');
      append_canonical_string(out, member.name);
      out.append(":").append(member.text);
    }
    return add(out.append("}"));
  }
  bool on_array_end(std::size_t, json::error_code&) {
    std::string out = "[";
    for (const Member& element : close()) {
      if (out.size() > 1) out.push_back(',');
      out.append(element.text);
    }
    return add(out.append("]"));
  }
  bool on_key_part(json::string_view part, std::size_t, json::error_code&) { return collect(part); }
  bool on_key(json::string_view part, std::size_t, json::error_code&) {
    collect(part);
    frames_.back().name = std::exchange(pending_, {});
    return true;
  }
  bool on_string_part(json::string_view part, std::size_t, json::error_code&) {
    return collect(part);
  }
  bool on_string(json::string_view part, std::size_t, json::error_code&) {
    collect(part);
    std::string out;
    append_canonical_string(out, std::exchange(pending_, {}));
    return add(std::move(out));
  }
  bool on_number_part(json::string_view part, json::error_code&) { return collect(part); }
  bool on_int64(std::int64_t value, json::string_view text, json::error_code& error) {
    return number(text, static_cast<double>(value), error);
  }
  bool on_uint64(std::uint64_t value, json::string_view text, json::error_code& error) {
    return number(text, static_cast<double>(value), error);
  }
  bool on_double(double value, json::string_view text, json::error_code& error) {
    return number(text, value, error);
  }
  bool on_bool(bool value, json::error_code&) { return add(value ? "true" : "false"); }
  bool on_null(json::error_code&) { return add("null"); }
  bool on_comment_part(json::string_view, json::error_code&) { return true; }
  bool on_comment(json::string_view, json::error_code&) { return true; }

  [[nodiscard]] std::string take() { return std::move(result_); }

 private:
  struct Member {
    std::string name;
    std::string text;
  };
  struct Frame {
    std::string name;  // of the member whose value comes next
    std::vector<Member> members;
  };

  static bool refuse(json::error_code& error) {
    error = json::error::syntax;
    return false;
  }
  bool open() {
    frames_.emplace_back();
    return true;
  }
  std::vector<Member> close() {
    std::vector<Member> members = std::move(frames_.back().members);
    frames_.pop_back();
    return members;
  }
  bool collect(json::string_view part) {
    pending_.append(part.data(), part.size());
    return true;
  }
  bool add(std::string text) {
    if (frames_.empty()) {
      result_ = std::move(text);
    } else {
      Frame& frame = frames_.back();
      frame.members.push_back({std::exchange(frame.name, {}), std::move(text)});
    }
    return true;
  }
  // `about` is the parser's own value, which is not the nearest double but tells what is above all
  // doubles, and has no form, from what is below them, and is 0.
  bool number(json::string_view last, double about, json::error_code& error) {
    collect(last);
    const std::string text = std::exchange(pending_, {});
    double value = 0;
    const auto read = std::from_chars(text.data(), text.data() + text.size(), value);
    if (read.ec != std::errc() && std::abs(about) > 1) return refuse(error);
    std::string out;
    append_canonical_number(out, value);
    return add(std::move(out));
  }

  std::vector<Frame> frames_;
  std::string pending_;
  std::string result_;
};

}  // namespace

bool canonical_less(std::string_view left, std::string_view right) {
  while (!left.empty() && !right.empty()) {
    const auto [a, a_size] = code_point(left);
    const auto [b, b_size] = code_point(right);
    if (a != b) {
      return std::pair(first_unit(a), a) < std::pair(first_unit(b), b);
    }
    left.remove_prefix(a_size);
    right.remove_prefix(b_size);
  }
  return left.empty() && !right.empty();
}

void append_canonical_string(std::string& out, std::string_view utf8) {
  constexpr std::string_view kHex = "0123456789abcdef";
  constexpr std::string_view kEscaped = "\"\\\b\f\n\r\t";
  constexpr std::string_view kLetters = "\"\\bfnrt";
  out.push_back('"');
  for (const char c : utf8) {
    if (const std::size_t place = kEscaped.find(c); place != std::string_view::npos) {
      out.push_back('\\');
      out.push_back(kLetters[place]);
    } else if (static_cast<unsigned char>(c) < 0x20) {
      out.append("\\u00");
      out.push_back(kHex[static_cast<unsigned char>(c) >> 4]);
      out.push_back(kHex[static_cast<unsigned char>(c) & 0xF]);
    } else {
      out.push_back(c);
    }
  }
  out.push_back('"');
}

void append_canonical_number(std::string& out, double value) {
  CHECK(std::isfinite(value), "JSON has no such number");
  if (value == 0) {
    out.push_back('0');
    return;
  }
  if (value < 0) out.push_back('-');
  append_decimal(out, shortest_decimal(std::abs(value)));
}

Result<std::string> canonical_json(std::string_view text) {
  if (!is_utf8(text)) return invalid_argument("the document is not UTF-8");
  json::parse_options options;
  options.max_depth = kDepthMax;
  json::basic_parser<Canonicaliser> parser(options);
  json::error_code error;
  const std::size_t read = parser.write_some(false, text.data(), text.size(), error);
  if (error || read != text.size()) {
    return invalid_argument("the document is not JSON that has a canonical form");
  }
  return parser.handler().take();
}

}  // namespace cortex::registry
