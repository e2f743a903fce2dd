// SPDX-License-Identifier: Apache-2.0
#include "cli/detail/table.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <ctime>
#include <ostream>

#include <boost/json/serialize.hpp>

#include "base/json_text.h"
#include "cli/detail/json.h"

namespace cortex::cli::detail {
namespace {

namespace json = boost::json;

// Terminals obey control characters, and whoever names a model is not who lists them.
std::string harmless(std::string text) {
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) c = '?';
  }
  return text;
}

// Of UTF-8: bytes that begin a character.
std::size_t width_of(const std::string& text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  }));
}

void print_side(std::ostream& out, char sign, const json::value* value) {
  if (value == nullptr || value->is_null()) return;
  out << "  " << sign << " " << cell(value) << "\n";
}

}  // namespace

void print_table(std::ostream& out, const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::size_t> widths(rows.empty() ? 0 : rows.front().size());
  for (const auto& row : rows) {
    for (std::size_t i = 0; i < widths.size(); ++i) {
      widths[i] = std::max(widths[i], width_of(row[i]));
    }
  }
  for (const auto& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < widths.size(); ++i) {
      line += harmless(row[i]) + std::string(widths[i] - width_of(row[i]) + 2, ' ');
    }
    line.erase(line.find_last_not_of(' ') + 1);
    out << line << "\n";
  }
}

std::string time_text(std::int64_t unix_milliseconds) {
  if (unix_milliseconds <= 0) return {};
  const std::time_t seconds = unix_milliseconds / 1000;
  std::tm parts{};
  if (gmtime_r(&seconds, &parts) == nullptr) return {};
  std::array<char, 32> text{};
  const std::size_t size = std::strftime(text.data(), text.size(), "%Y-%m-%d %H:%M:%S", &parts);
  return {text.data(), size};
}

std::string bytes_text(std::uint64_t bytes) {
  constexpr std::array<const char*, 5> kUnits = {"B", "KiB", "MiB", "GiB", "TiB"};
  auto value = static_cast<double>(bytes);
  std::size_t unit = 0;
  for (; value >= 1024 && unit + 1 < kUnits.size(); ++unit) value /= 1024;
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), unit == 0 ? "%.0f %s" : "%.1f %s", value, kUnits[unit]);
  return text.data();
}

std::string cell(const json::value* value) {
  if (value == nullptr || value->is_null()) return {};
  if (value->is_string()) return harmless(std::string(value->get_string()));
  if (const double* number = value->if_double()) {
    std::string out;
    append_json_number(out, *number);
    return out;
  }
  return harmless(json::serialize(*value));
}

void print_differences(std::ostream& out, const std::string& title, const json::value* list) {
  if (list == nullptr || !list->is_array() || list->get_array().empty()) return;
  out << title << "\n";
  for (const json::value& difference : list->get_array()) {
    out << "  " << cell(member(difference, "name")) << "\n";
    print_side(out, '-', member(difference, "left"));
    print_side(out, '+', member(difference, "right"));
  }
}

}  // namespace cortex::cli::detail
