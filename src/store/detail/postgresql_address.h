// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "base/status.h"

namespace cortex::store {

// A libpq address, read once, with our defaults for what it leaves open. It may hold a password:
// only name() is for texts and logs.
class PostgresqlAddress {
 public:
  // kInvalidArgument when libpq cannot read it; the text does not quote it.
  [[nodiscard]] static Result<PostgresqlAddress> parse(const std::string& address);

  // libpq's keywords with their values.
  [[nodiscard]] const std::vector<std::pair<std::string, std::string>>& settings() const {
    return settings_;
  }
  // "host:port/database".
  [[nodiscard]] std::string name() const;

 private:
  [[nodiscard]] std::string setting(const std::string& keyword) const;
  void set_default(const std::string& keyword, const std::string& value);

  std::vector<std::pair<std::string, std::string>> settings_;
};

}  // namespace cortex::store
