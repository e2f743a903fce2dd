// SPDX-License-Identifier: Apache-2.0
#include "registry/catalog/detail/names.h"

#include <algorithm>
#include <string_view>

namespace cortex::registry {
namespace {

constexpr std::size_t kModelNameBytesMax = 256;
constexpr std::size_t kAliasBytesMax = 255;
constexpr std::size_t kTagKeyBytesMax = 250;
constexpr std::size_t kTagValueBytesMax = 100'000;
constexpr std::size_t kDescriptionBytesMax = 100'000;

Status too_long(std::string_view what, std::size_t size, std::size_t limit) {
  return invalid_argument(
      std::string(what) + " has " + std::to_string(size) + " bytes; " + std::to_string(limit) +
      " are the limit."
  );
}

bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

bool is_alias_character(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '-';
}

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool is_blank(const std::string& text) {
  return text.find_first_not_of(" \t\r\n") == std::string::npos;
}

}  // namespace

Status check_model_name(const std::string& name) {
  if (is_blank(name)) return invalid_argument("Registered model name cannot be empty.");
  if (name.size() > kModelNameBytesMax) {
    return too_long("The name of a model", name.size(), kModelNameBytesMax);
  }
  const bool bad = std::any_of(name.begin(), name.end(), [](char c) {
    return c == '/' || c == ':' || is_control(c);
  });
  if (bad || name == "." || name == "..") {
    return invalid_argument(
        "Invalid model name '" + name + "'. Names cannot contain '/' or ':' or control characters."
    );
  }
  return {};
}

Status check_alias_name(const std::string& alias) {
  if (alias.empty()) return invalid_argument("Registered model alias name cannot be empty.");
  if (alias.size() > kAliasBytesMax) {
    return too_long("Registered model alias name", alias.size(), kAliasBytesMax);
  }
  if (!std::all_of(alias.begin(), alias.end(), is_alias_character)) {
    return invalid_argument(
        "Invalid alias name: '" + alias +
        "'. Names may only contain alphanumerics, underscores (_), and dashes (-)."
    );
  }
  return {};
}

bool is_latest(const std::string& alias) {
  constexpr std::string_view kLatest = "latest";
  return std::equal(alias.begin(), alias.end(), kLatest.begin(), kLatest.end(), [](char a, char b) {
    return lower(a) == b;
  });
}

bool is_reserved_alias(const std::string& alias) {
  if (is_latest(alias)) return true;
  return alias.size() > 1 && lower(alias.front()) == 'v' &&
         std::all_of(alias.begin() + 1, alias.end(), is_digit);
}

Status check_tag(const std::string& key, const std::string& value) {
  if (key.empty()) return invalid_argument("A key name must be provided.");
  if (key.size() > kTagKeyBytesMax) return too_long("A tag's key", key.size(), kTagKeyBytesMax);
  if (std::any_of(key.begin(), key.end(), is_control)) {
    return invalid_argument("Invalid tag key: control characters are not allowed.");
  }
  if (value.size() > kTagValueBytesMax) {
    return too_long("The value of tag '" + key + "'", value.size(), kTagValueBytesMax);
  }
  return {};
}

Status check_tags(const Tags& tags) {
  for (const auto& [key, value] : tags) CORTEX_RETURN_IF_ERROR(check_tag(key, value));
  return {};
}

Status check_description(const std::string& description) {
  if (description.size() <= kDescriptionBytesMax) return {};
  return too_long("The description", description.size(), kDescriptionBytesMax);
}

}  // namespace cortex::registry
