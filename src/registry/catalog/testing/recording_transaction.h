// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "store/transaction.h"

namespace cortex::registry {

// Passes everything on and remembers the queries, so that a test can count them and ask the
// database how it would run them.
class RecordingTransaction final : public store::Transaction {
 public:
  explicit RecordingTransaction(store::Transaction& inner) : inner_(inner) {}

  using store::Transaction::execute;
  using store::Transaction::query;

  Result<store::Rows> query(std::string_view sql, std::span<const store::Value> parameters)
      override {
    queries_.push_back({std::string(sql), {parameters.begin(), parameters.end()}});
    return inner_.query(sql, parameters);
  }
  Result<std::int64_t> execute(std::string_view sql, std::span<const store::Value> parameters)
      override {
    return inner_.execute(sql, parameters);
  }
  Result<std::int64_t> execute_many(
      std::string_view sql, std::size_t width, std::span<const store::Value> parameters
  ) override {
    return inner_.execute_many(sql, width, parameters);
  }
  Result<std::int64_t> note_change(std::string_view kind, std::string_view key) override {
    return inner_.note_change(kind, key);
  }

  [[nodiscard]] std::size_t query_count() const { return queries_.size(); }
  // SQLite's plans of all that was asked, a line for each step: "SEARCH …" or "SCAN …".
  Result<std::vector<std::string>> plans() {
    std::vector<std::string> lines;
    for (const Query& query : queries_) {
      CORTEX_ASSIGN_OR_RETURN(
          const store::Rows rows, inner_.query("EXPLAIN QUERY PLAN " + query.sql, query.parameters)
      );
      for (std::size_t i = 0; i < rows.size(); ++i) lines.push_back(rows.text(i, 3));
    }
    return lines;
  }

 private:
  struct Query {
    std::string sql;
    std::vector<store::Value> parameters;
  };
  store::Transaction& inner_;
  std::vector<Query> queries_;
};

}  // namespace cortex::registry
