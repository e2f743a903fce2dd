// SPDX-License-Identifier: Apache-2.0
#include "registry/catalog/semantic_version.h"

#include <charconv>

namespace cortex::registry {
namespace {

constexpr std::size_t kDigitsMax = 9;

// The number at the front of `text`, which then begins behind it.
std::optional<std::int64_t> take_number(std::string_view& text) {
  const std::size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
  if (digits == 0 || digits > kDigitsMax || (digits > 1 && text.front() == '0')) {
    return std::nullopt;
  }
  std::int64_t number = 0;
  std::from_chars(text.data(), text.data() + digits, number);
  text.remove_prefix(digits);
  return number;
}

bool take_dot(std::string_view& text) {
  if (!text.starts_with('.')) return false;
  text.remove_prefix(1);
  return true;
}

std::optional<SemanticVersion> parse(std::string_view text) {
  const auto major = take_number(text);
  if (!major || !take_dot(text)) return std::nullopt;
  const auto minor = take_number(text);
  if (!minor || !take_dot(text)) return std::nullopt;
  const auto patch = take_number(text);
  if (!patch || !text.empty()) return std::nullopt;
  return SemanticVersion{*major, *minor, *patch};
}

}  // namespace

Result<SemanticVersion> parse_semantic_version(std::string_view text) {
  if (const auto version = parse(text)) return *version;
  return invalid_argument(
      "'" + std::string(text.substr(0, 64)) + "' is no semantic version: X.Y.Z is expected"
  );
}

std::string to_text(const SemanticVersion& version) {
  return std::to_string(version.major) + "." + std::to_string(version.minor) + "." +
         std::to_string(version.patch);
}

SemanticVersion next_version(const std::optional<SemanticVersion>& newest, Increment increment) {
  if (!newest) return {1, 0, 0};
  switch (increment) {
    case Increment::kPatch:
      return {newest->major, newest->minor, newest->patch + 1};
    case Increment::kMinor:
      return {newest->major, newest->minor + 1, 0};
    case Increment::kMajor:
      return {newest->major + 1, 0, 0};
  }
  return *newest;
}

}  // namespace cortex::registry
