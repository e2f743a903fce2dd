// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace cortex::store {

// One object below sha256/: a blob, by the one that wrote it. The layout is in artifact_s3.h.
struct S3Name {
  std::string digest;
  std::uint64_t size = 0;
  std::string id;         // 32 hexadecimal digits, of nobody else
  bool in_parts = false;  // the bytes are in parts/<id>
};

// The keys of a store below its prefix. Pure.
class S3Names {
 public:
  explicit S3Names(std::string_view prefix);

  [[nodiscard]] const std::string& names() const { return names_; }  // "<prefix>/sha256/"
  [[nodiscard]] const std::string& parts() const { return parts_; }  // "<prefix>/parts/"
  [[nodiscard]] std::string names_of(std::string_view digest) const;
  // Behind every name of `digest` and before those of the next.
  [[nodiscard]] std::string behind(std::string_view digest) const;

  [[nodiscard]] std::string key(const S3Name& name) const;
  [[nodiscard]] std::string parts_key(std::string_view id) const;
  [[nodiscard]] std::string bytes_key(const S3Name& name) const;
  // Nothing for a key that is none of ours.
  [[nodiscard]] std::optional<S3Name> read(std::string_view key) const;

 private:
  std::string names_;
  std::string parts_;
};

}  // namespace cortex::store
