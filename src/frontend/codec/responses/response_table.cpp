// SPDX-License-Identifier: Apache-2.0
#include "frontend/codec/responses/response_table.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

namespace cortex::frontend::responses {
namespace {

// children: how many go on from it. hidden: removed, but others go on from it. Names of no response
// are '' in `previous`.
constexpr std::string_view kTables = R"(
CREATE TABLE response (
  id {text} NOT NULL PRIMARY KEY,
  workspace {text} NOT NULL,
  tenant {text} NOT NULL,
  author {text} NOT NULL,
  previous {text} NOT NULL,
  created_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL,
  children BIGINT NOT NULL,
  hidden BIGINT NOT NULL,
  size BIGINT NOT NULL,
  body {text} NOT NULL,
  input {text} NOT NULL,
  output {text} NOT NULL
);
CREATE INDEX response_by_age ON response (children, expires_at);
CREATE INDEX response_by_author ON response (workspace, tenant, author, children, created_at);
)";

constexpr std::array<std::string_view, 1> kSteps = {kTables};

// Of one trim: a work shall be short.
constexpr std::int64_t kDroppedAtOnce = 500;

// Takes away the end of a conversation; and those before it that were removed already.
Status drop_leaf(store::Transaction& transaction, std::string id) {
  for (std::size_t turn = 0; turn < kTurnsMax; ++turn) {
    CORTEX_ASSIGN_OR_RETURN(
        const store::Rows gone,
        transaction.query("DELETE FROM response WHERE id = $1 RETURNING previous", {id})
    );
    if (gone.empty() || gone.text(0, 0).empty()) return {};
    CORTEX_ASSIGN_OR_RETURN(
        const store::Rows parent,
        transaction.query(
            "UPDATE response SET children = children - 1 WHERE id = $1 RETURNING children, hidden",
            {gone.text(0, 0)}
        )
    );
    if (parent.empty() || parent.integer(0, 0) > 0 || parent.integer(0, 1) == 0) return {};
    id = gone.text(0, 0);
  }
  return {};
}

Status drop_expired(store::Transaction& transaction, std::int64_t now, Trimmed& trimmed) {
  CORTEX_ASSIGN_OR_RETURN(
      const store::Rows old,
      transaction.query(
          "SELECT id FROM response WHERE children = 0 AND expires_at <= $1 "
          "ORDER BY expires_at LIMIT $2",
          {now, kDroppedAtOnce}
      )
  );
  for (std::size_t i = 0; i < old.size(); ++i) {
    CORTEX_RETURN_IF_ERROR(drop_leaf(transaction, old.text(i, 0)));
  }
  trimmed.expired += old.size();
  if (!old.empty()) trimmed.more = true;  // those before them are ends now
  return {};
}

// The owner who holds the most loses what he used longest ago.
Status evict(store::Transaction& transaction, std::int64_t over, Trimmed& trimmed) {
  CORTEX_ASSIGN_OR_RETURN(
      const store::Rows most,
      transaction.query(
          "SELECT workspace, tenant, author, CAST(SUM(size) AS BIGINT) AS held FROM response "
          "GROUP BY workspace, tenant, author ORDER BY held DESC LIMIT 1"
      )
  );
  if (most.empty()) return {};
  CORTEX_ASSIGN_OR_RETURN(
      const store::Rows leaves,
      transaction.query(
          "SELECT id, size FROM response WHERE workspace = $1 AND tenant = $2 AND author = $3 "
          "AND children = 0 ORDER BY created_at LIMIT $4",
          {most.text(0, 0), most.text(0, 1), most.text(0, 2), kDroppedAtOnce}
      )
  );
  for (std::size_t i = 0; i < leaves.size() && over > 0; ++i) {
    CORTEX_RETURN_IF_ERROR(drop_leaf(transaction, leaves.text(i, 0)));
    over -= leaves.integer(i, 1);
    ++trimmed.evicted;
  }
  if (over > 0) trimmed.more = true;
  return {};
}

}  // namespace

const store::Schema& response_schema() {
  static constexpr store::Schema kSchema{"responses", kSteps};
  return kSchema;
}

Status insert_response(store::Transaction& transaction, const KeptResponse& response) {
  const ResponseOwner& owner = response.owner;
  if (!response.previous.empty()) {
    CORTEX_ASSIGN_OR_RETURN(
        const std::int64_t parents,
        transaction.execute(
            "UPDATE response SET children = children + 1 WHERE id = $1 AND workspace = $2 "
            "AND tenant = $3 AND author = $4",
            {response.previous, owner.workspace, owner.tenant, owner.key}
        )
    );
    if (parents == 0) return failed_precondition("the response before it is gone");
  }
  return transaction
      .execute(
          "INSERT INTO response (id, workspace, tenant, author, previous, created_at, expires_at, "
          "children, hidden, size, body, input, output) "
          "VALUES ($1, $2, $3, $4, $5, $6, $7, 0, 0, $8, $9, $10, $11)",
          {response.id,
           owner.workspace,
           owner.tenant,
           owner.key,
           response.previous,
           response.created_at,
           response.expires_at,
           static_cast<std::int64_t>(response.bytes()),
           response.body,
           response.input,
           response.output}
      )
      .status();
}

Result<KeptResponse> find_response(
    store::Transaction& transaction,
    const ResponseOwner& owner,
    const std::string& id,
    std::int64_t now
) {
  CORTEX_ASSIGN_OR_RETURN(
      const store::Rows rows,
      transaction.query(
          "SELECT previous, created_at, expires_at, body, input, output FROM response "
          "WHERE id = $1 AND workspace = $2 AND tenant = $3 AND author = $4 AND hidden = 0 "
          "AND expires_at > $5",
          {id, owner.workspace, owner.tenant, owner.key, now}
      )
  );
  if (rows.empty()) return no_such_response(id);
  KeptResponse out;
  out.id = id;
  out.owner = owner;
  out.previous = rows.text(0, 0);
  out.created_at = rows.integer(0, 1);
  out.expires_at = rows.integer(0, 2);
  out.body = rows.text(0, 3);
  out.input = rows.text(0, 4);
  out.output = rows.text(0, 5);
  return out;
}

Result<std::vector<std::string>> read_conversation(
    store::Transaction& transaction,
    const ResponseOwner& owner,
    const std::string& id,
    std::int64_t now,
    bool visible
) {
  CORTEX_ASSIGN_OR_RETURN(
      const store::Rows rows,
      transaction.query(
          "WITH RECURSIVE turn(previous, depth, input, output) AS ("
          "SELECT previous, CAST(1 AS BIGINT), input, output FROM response "
          "WHERE id = $1 AND workspace = $2 AND tenant = $3 AND author = $4 "
          "AND (CAST($5 AS BIGINT) = 0 OR (hidden = 0 AND expires_at > $6)) "
          "UNION ALL SELECT r.previous, t.depth + 1, r.input, r.output FROM response r "
          "JOIN turn t ON r.id = t.previous WHERE t.depth <= $7) "
          "SELECT depth, input, output FROM turn ORDER BY depth DESC",
          {id,
           owner.workspace,
           owner.tenant,
           owner.key,
           static_cast<std::int64_t>(visible),
           now,
           static_cast<std::int64_t>(kTurnsMax)}
      )
  );
  if (rows.empty()) return no_such_response(id);
  if (rows.size() > kTurnsMax) return too_many_turns();
  std::vector<std::string> out;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    out.push_back(rows.text(i, 1));
    out.push_back(rows.text(i, 2));
  }
  return out;
}

Status remove_response(
    store::Transaction& transaction,
    const ResponseOwner& owner,
    const std::string& id,
    std::int64_t now
) {
  CORTEX_ASSIGN_OR_RETURN(
      const store::Rows rows,
      transaction.query(
          "UPDATE response SET hidden = 1, body = '' WHERE id = $1 AND workspace = $2 "
          "AND tenant = $3 AND author = $4 AND hidden = 0 AND expires_at > $5 RETURNING children",
          {id, owner.workspace, owner.tenant, owner.key, now}
      )
  );
  if (rows.empty()) return no_such_response(id);
  return rows.integer(0, 0) > 0 ? Status() : drop_leaf(transaction, id);
}

Result<Trimmed> trim_responses(
    store::Transaction& transaction, std::int64_t now, std::uint64_t bytes_max
) {
  Trimmed out;
  CORTEX_RETURN_IF_ERROR(drop_expired(transaction, now, out));
  CORTEX_ASSIGN_OR_RETURN(
      const store::Rows sum,
      transaction.query("SELECT CAST(COALESCE(SUM(size), 0) AS BIGINT) FROM response")
  );
  const std::int64_t over = sum.integer(0, 0) - static_cast<std::int64_t>(bytes_max);
  if (over > 0) CORTEX_RETURN_IF_ERROR(evict(transaction, over, out));
  return out;
}

}  // namespace cortex::frontend::responses
