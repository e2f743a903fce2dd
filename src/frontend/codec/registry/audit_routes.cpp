// SPDX-License-Identifier: Apache-2.0
#include <cstdint>
#include <string>
#include <utility>

#include <boost/json.hpp>

#include "frontend/codec/registry/documents.h"
#include "frontend/codec/registry/registry_route.h"
#include "registry/catalog/audit_log.h"

namespace cortex::frontend::registry_api {
namespace {

namespace json = boost::json;
using store::Transaction;

constexpr Query::Range kAuditPage{100, 1, 1000};
constexpr Query::Range kAnyAuditSeq{0, 0, INT64_MAX};

Result<Plan> list_audit(const Call& call) {
  const std::int64_t after = call.query.integer("after", kAnyAuditSeq);
  const auto limit = static_cast<std::size_t>(call.query.integer("limit", kAuditPage));
  return Plan::read(
      [after,
       limit,
       workspace = call.author.workspace](Transaction& transaction, Answer& answer) -> Status {
        CORTEX_ASSIGN_OR_RETURN(
            const auto rows, registry::read_audit(transaction, workspace, after, limit)
        );
        json::array events;
        for (const registry::AuditRow& row : rows) events.push_back(to_json(row));
        json::object document{{"events", std::move(events)}};
        if (rows.size() == limit) document.emplace("next_after", rows.back().seq);
        say(answer, document);
        return {};
      }
  );
}

// A head that was kept elsewhere: both of its halves, or none.
Result<std::optional<registry::AuditHead>> read_head(Query& query) {
  registry::AuditHead head;
  head.seq = query.integer("seq", kAnyAuditSeq);
  head.hash = query.text("hash");
  if (head.seq == 0 && head.hash.empty()) return std::optional<registry::AuditHead>();
  if (head.seq > 0 && store::is_digest(head.hash)) return std::optional(std::move(head));
  return invalid_argument("seq and hash: a number and 64 hexadecimal digits, both or none");
}

Result<Plan> verify_audit(const Call& call) {
  CORTEX_ASSIGN_OR_RETURN(const auto known, read_head(call.query));
  return Plan::read(
      [known,
       workspace = call.author.workspace](Transaction& transaction, Answer& answer) -> Status {
        CORTEX_ASSIGN_OR_RETURN(
            const auto verdict, registry::verify_audit(transaction, workspace, known)
        );
        json::object document{
            {"valid", !verdict.broken.has_value()},
            {"seq", verdict.head.seq},
            {"hash", verdict.head.hash},
        };
        if (verdict.broken) {
          document.emplace(
              "broken",
              json::object{{"seq", verdict.broken->seq}, {"reason", verdict.broken->reason}}
          );
        }
        say(answer, document);
        return {};
      }
  );
}

}  // namespace

std::vector<RegistryRoute> audit_routes() {
  return {
      {Method::kGet,
       "/audit",
       "The audit log, oldest first",
       "",
       "AuditPage",
       200,
       audit_parameters(),
       list_audit},
      {Method::kGet,
       "/audit/verify",
       "Walk the audit log's chain of hashes",
       "",
       "AuditVerdict",
       200,
       verify_parameters(),
       verify_audit},
  };
}

}  // namespace cortex::frontend::registry_api
