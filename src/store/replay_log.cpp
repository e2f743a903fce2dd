// SPDX-License-Identifier: Apache-2.0
#include "store/replay_log.h"

#include <array>
#include <string_view>

#include "base/check.h"

namespace cortex::store {
namespace {

// first: the bytes of all answers before this one, so that the budget is one comparison.
constexpr std::string_view kTables = R"(
CREATE TABLE replay (
  id {id},
  workspace {text} NOT NULL,
  author {text} NOT NULL,
  name {text} NOT NULL,
  request {text} NOT NULL,
  at BIGINT NOT NULL,
  first BIGINT NOT NULL,
  size BIGINT NOT NULL,
  status BIGINT NOT NULL,
  head {text} NOT NULL,
  body {text} NOT NULL
);
CREATE UNIQUE INDEX replay_name ON replay (workspace, author, name);
CREATE INDEX replay_at ON replay (at);
CREATE INDEX replay_first ON replay (first);
)";

constexpr std::array<std::string_view, 1> kSteps = {kTables};

// Each request takes away so many of those that are too old; more than come in.
constexpr std::int64_t kExpiredAtOnce = 100;

Status expire(Transaction& transaction, std::int64_t before) {
  return transaction
      .execute(
          "DELETE FROM replay WHERE id IN "
          "(SELECT id FROM replay WHERE at < $1 ORDER BY at LIMIT $2)",
          {before, kExpiredAtOnce}
      )
      .status();
}

Result<Rows> find_row(Transaction& transaction, const ReplayKey& key) {
  return transaction.query(
      "SELECT at, request, status, head, body FROM replay "
      "WHERE workspace = $1 AND author = $2 AND name = $3",
      {key.workspace, key.user, key.name}
  );
}

Status drop_row(Transaction& transaction, const ReplayKey& key) {
  return transaction
      .execute(
          "DELETE FROM replay WHERE workspace = $1 AND author = $2 AND name = $3",
          {key.workspace, key.user, key.name}
      )
      .status();
}

Status insert_row(Transaction& transaction, const ReplayKey& key, std::int64_t now) {
  return transaction
      .execute(
          "INSERT INTO replay (workspace, author, name, request, at, first, size, status, head, "
          "body) VALUES ($1, $2, $3, $4, $5, 0, 0, 0, '', '')",
          {key.workspace, key.user, key.name, key.request, now}
      )
      .status();
}

}  // namespace

const Schema& replay_schema() {
  static constexpr Schema kSchema{"replay", kSteps};
  return kSchema;
}

Result<std::optional<KeptAnswer>> claim_replay(
    Transaction& transaction, const ReplayKey& key, std::int64_t now, const ReplayLimits& limits
) {
  const std::int64_t oldest = now - limits.age.count();
  CORTEX_RETURN_IF_ERROR(expire(transaction, oldest));
  CORTEX_ASSIGN_OR_RETURN(const Rows rows, find_row(transaction, key));
  if (!rows.empty() && rows.integer(0, 0) >= oldest) {
    if (rows.text(0, 1) != key.request) {
      return failed_precondition("this Idempotency-Key was used for another request");
    }
    return std::optional(KeptAnswer{rows.integer(0, 2), rows.text(0, 3), rows.text(0, 4)});
  }
  if (!rows.empty()) CORTEX_RETURN_IF_ERROR(drop_row(transaction, key));
  CORTEX_RETURN_IF_ERROR(insert_row(transaction, key, now));
  return std::optional<KeptAnswer>();
}

Result<std::int64_t> keep_answer(
    Transaction& transaction,
    const ReplayKey& key,
    const KeptAnswer& answer,
    const ReplayLimits& limits
) {
  CORTEX_ASSIGN_OR_RETURN(
      const Rows newest,
      transaction.query("SELECT first + size FROM replay ORDER BY first DESC, size DESC LIMIT 1")
  );
  const std::int64_t first = newest.empty() ? 0 : newest.integer(0, 0);
  const auto size = static_cast<std::int64_t>(answer.head.size() + answer.body.size());
  CORTEX_ASSIGN_OR_RETURN(
      const Rows kept,
      transaction.query(
          "UPDATE replay SET first = $4, size = $5, status = $6, head = $7, body = $8 "
          "WHERE workspace = $1 AND author = $2 AND name = $3 RETURNING id",
          {key.workspace, key.user, key.name, first, size, answer.status, answer.head, answer.body}
      )
  );
  CHECK(!kept.empty(), "an answer is kept under a key that was claimed");
  return transaction.execute(
      "DELETE FROM replay WHERE id <= $1 OR first < $2",
      {kept.integer(0, 0) - limits.keys, first + size - limits.bytes}
  );
}

}  // namespace cortex::store
