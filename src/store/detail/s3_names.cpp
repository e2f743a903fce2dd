// SPDX-License-Identifier: Apache-2.0
#include "store/detail/s3_names.h"

#include <charconv>

#include "store/artifact_store.h"

namespace cortex::store {
namespace {

constexpr std::string_view kPartsEnding = ".parts";
constexpr std::size_t kDigestDigits = 64;
constexpr std::size_t kIdDigits = 32;

}  // namespace

S3Names::S3Names(std::string_view prefix) : names_(prefix) {
  while (names_.ends_with('/')) names_.pop_back();
  if (!names_.empty()) names_.push_back('/');
  parts_ = names_ + "parts/";
  names_ += "sha256/";
}

std::string S3Names::names_of(std::string_view digest) const {
  return names_ + std::string(digest) + "/";
}

// '0' is the character behind '/'.
std::string S3Names::behind(std::string_view digest) const {
  return names_ + std::string(digest) + "0";
}

std::string S3Names::key(const S3Name& name) const {
  std::string out = names_of(name.digest) + std::to_string(name.size) + "-" + name.id;
  if (name.in_parts) out += kPartsEnding;
  return out;
}

std::string S3Names::parts_key(std::string_view id) const { return parts_ + std::string(id); }

std::string S3Names::bytes_key(const S3Name& name) const {
  return name.in_parts ? parts_key(name.id) : key(name);
}

std::optional<S3Name> S3Names::read(std::string_view key) const {
  if (!key.starts_with(names_)) return {};
  key.remove_prefix(names_.size());
  S3Name out;
  out.digest = key.substr(0, kDigestDigits);
  if (!is_digest(out.digest) || key.substr(out.digest.size(), 1) != "/") return {};
  key.remove_prefix(out.digest.size() + 1);
  out.in_parts = key.ends_with(kPartsEnding);
  if (out.in_parts) key.remove_suffix(kPartsEnding.size());
  const auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), out.size);
  key.remove_prefix(static_cast<std::size_t>(end - key.data()));
  if (error != std::errc() || key.size() != 1 + kIdDigits || key.front() != '-') return {};
  out.id = key.substr(1);
  return out;
}

}  // namespace cortex::store
