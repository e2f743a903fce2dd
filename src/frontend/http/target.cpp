// SPDX-License-Identifier: Apache-2.0
#include "frontend/http/target.h"

#include <cstddef>

namespace cortex::frontend {
namespace {

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool is_scheme(std::string_view text) {
  const auto matches = [text](std::string_view scheme) {
    if (text.size() != scheme.size()) return false;
    for (std::size_t i = 0; i < text.size(); ++i) {
      if ((text[i] | 0x20) != scheme[i]) return false;
    }
    return true;
  };
  return matches("http") || matches("https");
}

// The part behind "http://host"; empty when `target` is no absolute form.
std::optional<std::string_view> strip_authority(std::string_view target) {
  const std::size_t colon = target.find("://");
  if (colon == std::string_view::npos || !is_scheme(target.substr(0, colon))) return std::nullopt;
  const std::string_view rest = target.substr(colon + 3);
  const std::size_t end = rest.find_first_of("/?");
  if (end == 0 || rest.empty()) return std::nullopt;
  return end == std::string_view::npos ? std::string_view() : rest.substr(end);
}

}  // namespace

std::optional<Target> split_target(std::string_view target) {
  if (target == "*") return Target{target, {}};
  if (target.find('#') != std::string_view::npos) return std::nullopt;
  if (!target.starts_with('/')) {
    const auto rest = strip_authority(target);
    if (!rest) return std::nullopt;
    target = *rest;
  }
  const std::size_t mark = target.find('?');
  const std::string_view path = target.substr(0, mark);
  const std::string_view query =
      mark == std::string_view::npos ? std::string_view() : target.substr(mark + 1);
  return Target{path.empty() ? std::string_view("/") : path, query};
}

bool percent_decode(std::string_view text, std::string& out) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (c == '%') {
      if (i + 2 >= text.size()) return false;
      const int high = hex_digit(text[i + 1]);
      const int low = hex_digit(text[i + 2]);
      if (high < 0 || low < 0) return false;
      c = static_cast<char>(high * 16 + low);
      i += 2;
    }
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7F) return false;
    out.push_back(c);
  }
  return true;
}

}  // namespace cortex::frontend
