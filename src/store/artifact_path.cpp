// SPDX-License-Identifier: Apache-2.0
#include "store/artifact_path.h"

#include <optional>
#include <string>

#include "base/json_text.h"

namespace cortex::store {
namespace {

// Of well-formed text: U+0000 to U+001F, U+007F to U+009F, and the separators U+2028 and U+2029.
bool has_control_character(std::string_view text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if (byte < 0x20 || byte == 0x7F) return true;
    if (byte == 0xC2 && static_cast<unsigned char>(text[i + 1]) < 0xA0) return true;
  }
  return text.find("\xE2\x80\xA8") != std::string_view::npos ||
         text.find("\xE2\x80\xA9") != std::string_view::npos;
}

std::optional<std::string_view> fault_of_characters(std::string_view path) {
  if (!is_utf8(path)) return "is not UTF-8";
  if (has_control_character(path)) return "holds a control character";
  if (path.find('\\') != std::string_view::npos) return "holds a backslash";
  return std::nullopt;
}

std::optional<std::string_view> fault_of_part(std::string_view part) {
  if (part.empty()) return "begins or ends with '/' or holds an empty part";
  if (part == "." || part == "..") return "holds a part of dots";
  return std::nullopt;
}

bool has_drive_letter(std::string_view path) {
  if (path.size() < 2 || path[1] != ':') return false;
  const char lower = static_cast<char>(path[0] | 0x20);
  return lower >= 'a' && lower <= 'z';
}

std::optional<std::string_view> fault_of(std::string_view path) {
  if (path.empty()) return "is empty";
  if (auto fault = fault_of_characters(path)) return fault;
  if (has_drive_letter(path)) return "begins with a drive letter";
  std::size_t parts = 0;
  while (true) {
    const std::size_t end = path.find('/');
    if (auto fault = fault_of_part(path.substr(0, end))) return fault;
    if (++parts > kArtifactPathPartsMax) return "has more than 64 parts";
    if (end == std::string_view::npos) return std::nullopt;
    path.remove_prefix(end + 1);
  }
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const char lower = static_cast<char>(c | 0x20);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

// `text` with every %XX decoded; what is no escape stays.
std::string percent_decoded(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool escape = text[i] == '%' && i + 2 < text.size();
    const int high = escape ? hex_digit(text[i + 1]) : -1;
    const int low = escape ? hex_digit(text[i + 2]) : -1;
    if (high < 0 || low < 0) {
      out.push_back(text[i]);
      continue;
    }
    out.push_back(static_cast<char>(high * 16 + low));
    i += 2;
  }
  return out;
}

}  // namespace

Status check_artifact_path(std::string_view path) {
  const auto refuse = [](std::string_view fault) {
    return invalid_argument("Invalid path: the path of the artifact " + std::string(fault));
  };
  if (path.size() > kArtifactPathBytesMax) return refuse("is longer than 1024 bytes");
  if (const auto fault = fault_of(path)) return refuse(*fault);
  // Every round makes it shorter.
  std::string current(path);
  while (current.find('%') != std::string::npos) {
    std::string decoded = percent_decoded(current);
    if (decoded.size() == current.size()) break;
    if (const auto fault = fault_of(decoded)) return refuse(std::string(*fault) + " when decoded");
    current = std::move(decoded);
  }
  return {};
}

std::pair<std::string_view, std::string_view> split_artifact_path(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string_view::npos) return {{}, path};
  return {path.substr(0, slash), path.substr(slash + 1)};
}

}  // namespace cortex::store
