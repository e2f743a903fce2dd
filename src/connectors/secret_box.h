// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <filesystem>
#include <string>
#include <string_view>

#include "base/status.h"

namespace cortex::connectors {

// Keeps secrets unreadable in the database: AES-256-GCM with a key that is not in it. A secret is
// bound to its owner, so that it cannot be given to another one. Immutable; thread-safe.
class SecretBox {
 public:
  using Key = std::array<unsigned char, 32>;

  explicit SecretBox(const Key& key) : key_(key) {}
  // 64 hexadecimal digits in a file; makes one that its owner alone can read when there is none and
  // `make` is set. kFailedPrecondition: it cannot be read or made, or holds something else. Blocks.
  [[nodiscard]] static Result<SecretBox> open(const std::filesystem::path& file, bool make);

  // "" stays "".
  [[nodiscard]] std::string seal(std::string_view secret, std::string_view owner) const;
  // kFailedPrecondition: sealed with another key, for another owner, or by nobody.
  [[nodiscard]] Result<std::string> unseal(std::string_view sealed, std::string_view owner) const;

 private:
  Key key_;
};

}  // namespace cortex::connectors
