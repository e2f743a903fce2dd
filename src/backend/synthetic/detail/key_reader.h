// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <charconv>
#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/status.h"

namespace cortex::backend {

using SyntheticKeys = std::map<std::string, std::string>;

inline constexpr std::uint64_t kSyntheticDelayUsMax = 3'600'000'000;

// `key: value` lines of a file; none where there is no file. Those of `parameters` win.
[[nodiscard]] Result<SyntheticKeys> read_synthetic_keys(
    const std::filesystem::path& file, const SyntheticKeys& parameters
);

[[nodiscard]] std::string_view trim_text(std::string_view text);

[[nodiscard]] Status bad_key(std::string_view key, std::string_view value, std::string_view wanted);

template <typename T>
[[nodiscard]] std::optional<T> parse_number(std::string_view text) {
  T out{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return out;
}

// Reads the keys one by one; the first that is wrong is the program's error.
class KeyReader {
 public:
  explicit KeyReader(const SyntheticKeys& keys) : left_(keys) {}

  std::string text(const char* key, std::string otherwise);
  std::uint64_t count(const char* key, std::uint64_t otherwise, std::uint64_t most);
  bool flag(const char* key, bool otherwise = false);

  // The first is the one that holds without the key.
  template <typename T>
  T choice(const char* key, std::initializer_list<std::pair<const char*, T>> choices) {
    const std::string value = text(key, choices.begin()->first);
    for (const auto& [name, out] : choices) {
      if (value == name) return out;
    }
    fail(bad_key(key, value, "one that is known"));
    return choices.begin()->second;
  }

  void fail(Status status);
  // The first error, or that a key is left over.
  Status finish();

 private:
  SyntheticKeys left_;
  Status error_;
};

}  // namespace cortex::backend
