// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/status.h"
#include "store/transaction.h"

namespace cortex::store {

// What a database puts in the place of the words of a Schema.
struct Dialect {
  std::string_view id;
  std::string_view text;
};

// One connection to a database, with its prepared statements. Errors are those of Transaction.
// Thread: one at a time.
class Connection {
 public:
  virtual ~Connection() = default;

  [[nodiscard]] virtual Result<Rows> query(
      std::string_view sql, std::span<const Value> parameters
  ) = 0;
  [[nodiscard]] virtual Result<std::int64_t> execute(
      std::string_view sql, std::span<const Value> parameters
  ) = 0;
  [[nodiscard]] virtual Result<std::int64_t> execute_many(
      std::string_view sql, std::size_t width, std::span<const Value> parameters
  ) = 0;

  // Several statements without parameters; nothing of them is cached.
  [[nodiscard]] virtual Status run_script(const std::string& sql) = 0;
  [[nodiscard]] virtual Result<bool> has_table(std::string_view name) = 0;
  [[nodiscard]] virtual Dialect dialect() const = 0;
};

}  // namespace cortex::store
