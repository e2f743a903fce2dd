// SPDX-License-Identifier: Apache-2.0
#include "store/keyset.h"

#include <array>
#include <charconv>
#include <cstdint>
#include <optional>
#include <utility>

#include "base/json_text.h"
#include "store/filter.h"

namespace cortex::store {
namespace {

constexpr std::size_t kTokenBytesLimit = 64 * 1024;
constexpr std::string_view kDigits =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

// FNV-1a: no secret, it only tells queries apart.
std::string fingerprint(std::string_view text) {
  std::uint64_t hash = 0xcbf29ce484222325ULL;
  for (const char c : text) hash = (hash ^ static_cast<std::uint8_t>(c)) * 0x100000001b3ULL;
  return std::to_string(hash);
}

std::string encode(std::string_view bytes) {
  std::string out;
  std::uint32_t bits = 0;
  int count = 0;
  for (const char c : bytes) {
    bits = (bits << 8) | static_cast<std::uint8_t>(c);
    for (count += 8; count >= 6; count -= 6) out.push_back(kDigits[(bits >> (count - 6)) & 63]);
  }
  if (count > 0) out.push_back(kDigits[(bits << (6 - count)) & 63]);
  return out;
}

std::optional<std::string> decode(std::string_view text) {
  std::string out;
  std::uint32_t bits = 0;
  int count = 0;
  for (const char c : text) {
    const std::size_t digit = kDigits.find(c);
    if (digit == std::string_view::npos) return std::nullopt;
    bits = (bits << 6) | static_cast<std::uint32_t>(digit);
    count += 6;
    if (count < 8) continue;
    count -= 8;
    out.push_back(static_cast<char>((bits >> count) & 255));
  }
  return out;
}

// Each value is its kind, its length in bytes, ':' and its text.
void put(std::string& out, char kind, std::string_view text) {
  out.push_back(kind);
  out.append(std::to_string(text.size())).append(":").append(text);
}

template <typename Number>
std::string number_text(Number number) {
  std::array<char, 32> text{};
  const auto end = std::to_chars(text.data(), text.data() + text.size(), number).ptr;
  return {text.data(), end};
}

void put(std::string& out, const Value& value) {
  if (const auto* integer = std::get_if<std::int64_t>(&value)) {
    put(out, 'i', number_text(*integer));
  } else if (const auto* real = std::get_if<double>(&value)) {
    put(out, 'r', number_text(*real));
  } else if (const auto* text = std::get_if<std::string>(&value)) {
    put(out, 't', *text);
  } else {
    put(out, 'n', "");
  }
}

template <typename Number>
std::optional<Value> number_of(std::string_view text) {
  Number number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return Value(number);
}

std::optional<Value> value_of(char kind, std::string_view text) {
  switch (kind) {
    case 'i':
      return number_of<std::int64_t>(text);
    case 'r': {
      const auto value = number_of<double>(text);
      return value && std::get<double>(*value) == std::get<double>(*value) ? value : std::nullopt;
    }
    case 't':
      if (!is_utf8(text) || text.find('\0') != std::string_view::npos) return std::nullopt;
      return Value(std::string(text));
    default:
      return std::nullopt;
  }
}

std::optional<std::vector<Value>> values_of(std::string_view bytes) {
  std::vector<Value> values;
  while (!bytes.empty()) {
    const char kind = bytes.front();
    std::size_t size = 0;
    const auto [end, error] = std::from_chars(bytes.data() + 1, bytes.data() + bytes.size(), size);
    const auto at = static_cast<std::size_t>(end - bytes.data());
    if (error != std::errc() || at >= bytes.size() || *end != ':') return std::nullopt;
    if (size > bytes.size() - at - 1) return std::nullopt;
    auto value = value_of(kind, bytes.substr(at + 1, size));
    if (!value) return std::nullopt;
    values.push_back(std::move(*value));
    bytes.remove_prefix(at + 1 + size);
  }
  return values;
}

}  // namespace

void append_order(std::string& sql, std::span<const SortKey> keys) {
  for (const SortKey& key : keys) {
    if (&key != keys.data()) sql.append(", ");
    sql.append(key.expression).append(key.ascending ? " ASC" : " DESC");
  }
}

void append_behind(
    std::string& sql,
    std::vector<Value>& parameters,
    std::span<const SortKey> keys,
    std::span<const Value> last
) {
  CHECK(!keys.empty() && keys.size() == last.size(), "one value for each key");
  const SortKey& key = keys.front();
  const std::string value = add_parameter(parameters, last.front());
  // The first half alone says what an index on the first key needs.
  sql.append("(").append(key.expression).append(key.ascending ? " >= " : " <= ").append(value);
  sql.append(" AND (").append(key.expression).append(key.ascending ? " > " : " < ").append(value);
  if (keys.size() > 1) {
    sql.append(" OR ");
    append_behind(sql, parameters, keys.subspan(1), last.subspan(1));
  }
  sql.append("))");
}

std::string make_page_token(std::string_view query, std::span<const Value> last) {
  std::string bytes;
  put(bytes, Value(fingerprint(query)));
  for (const Value& value : last) put(bytes, value);
  return encode(bytes);
}

Result<std::vector<Value>> read_page_token(std::string_view query, std::string_view token) {
  if (token.size() > kTokenBytesLimit)
    return invalid_argument("Invalid page token, it is too long");
  const auto bytes = decode(token);
  if (!bytes) return invalid_argument("Invalid page token, could not base64-decode");
  auto values = values_of(*bytes);
  if (!values || values->empty()) return invalid_argument("Invalid page token");
  if (values->front() != Value(fingerprint(query))) {
    return invalid_argument("Invalid page token, it belongs to another search");
  }
  values->erase(values->begin());
  return std::move(*values);
}

}  // namespace cortex::store
