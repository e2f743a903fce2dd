// SPDX-License-Identifier: Apache-2.0
#include "backend/synthetic/detail/key_reader.h"

#include <fstream>
#include <iterator>
#include <sstream>

namespace cortex::backend {
namespace {

Result<SyntheticKeys> parse_synthetic_file(std::string_view text) {
  SyntheticKeys out;
  std::istringstream lines{std::string(text)};
  for (std::string line; std::getline(lines, line);) {
    const std::string_view rest = trim_text(std::string_view(line).substr(0, line.find('#')));
    if (rest.empty()) continue;
    const auto colon = rest.find(':');
    if (colon == std::string_view::npos) return bad_key("line", rest, "key: value");
    out[std::string(trim_text(rest.substr(0, colon)))] = trim_text(rest.substr(colon + 1));
  }
  return out;
}

}  // namespace

std::string_view trim_text(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r";
  const auto first = text.find_first_not_of(kSpace);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

Status bad_key(std::string_view key, std::string_view value, std::string_view wanted) {
  return invalid_argument(
      "synthetic model: " + std::string(key) + ": '" + std::string(value) + "' is not " +
      std::string(wanted)
  );
}

Result<SyntheticKeys> read_synthetic_keys(
    const std::filesystem::path& file, const SyntheticKeys& parameters
) {
  std::ifstream in(file);
  const std::string text{std::istreambuf_iterator<char>(in), {}};
  CORTEX_ASSIGN_OR_RETURN(SyntheticKeys keys, parse_synthetic_file(text));
  for (const auto& [key, value] : parameters) keys[key] = value;
  return keys;
}

std::string KeyReader::text(const char* key, std::string otherwise) {
  const auto at = left_.find(key);
  if (at == left_.end()) return otherwise;
  std::string out = std::move(at->second);
  left_.erase(at);
  return out;
}

std::uint64_t KeyReader::count(const char* key, std::uint64_t otherwise, std::uint64_t most) {
  const std::string value = text(key, std::to_string(otherwise));
  const auto out = parse_number<std::uint64_t>(value);
  if (out && *out <= most) return *out;
  fail(bad_key(key, value, "a number up to " + std::to_string(most)));
  return otherwise;
}

bool KeyReader::flag(const char* key, bool otherwise) {
  const std::string value = text(key, otherwise ? "true" : "false");
  if (value != "true" && value != "false") fail(bad_key(key, value, "true or false"));
  return value == "true";
}

void KeyReader::fail(Status status) {
  if (error_.ok()) error_ = std::move(status);
}

Status KeyReader::finish() {
  if (!left_.empty()) fail(bad_key(left_.begin()->first, left_.begin()->second, "a known key"));
  return error_;
}

}  // namespace cortex::backend
