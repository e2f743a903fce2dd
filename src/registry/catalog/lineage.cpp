// SPDX-License-Identifier: Apache-2.0
#include "registry/catalog/lineage.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "registry/catalog/detail/key_list.h"
#include "registry/catalog/detail/version_change.h"
#include "registry/catalog/detail/version_rows.h"

namespace cortex::registry {
namespace {

constexpr std::size_t kLinksMax = 1000;

struct LinkRow {
  std::int64_t model_id = 0;
  LineageLink link;
};

LinkRow read_link(const store::Rows& rows, std::size_t row) {
  LinkRow out;
  out.model_id = rows.integer(row, 0);
  out.link.id = {rows.text(row, 1), rows.integer(row, 2)};
  out.link.run = rows.text(row, 3);
  out.link.logged_model = rows.text(row, 4);
  out.link.deleted = rows.integer(row, 5) != 0;
  return out;
}

// From the version to its oldest ancestor: one link more than is allowed at most.
Result<std::vector<LinkRow>> find_chain(
    store::Transaction& transaction,
    const std::string& workspace,
    std::int64_t model_id,
    std::int64_t version
) {
  CORTEX_ASSIGN_OR_RETURN(
      const store::Rows rows,
      transaction.query(
          "WITH RECURSIVE chain (depth, model_id, version) AS ("
          "SELECT CAST(0 AS BIGINT), CAST($2 AS BIGINT), CAST($3 AS BIGINT) "
          "UNION ALL SELECT c.depth + 1, v.baseline_model_id, v.baseline_version "
          "FROM chain c JOIN model_version v ON v.workspace = $1 AND v.model_id = c.model_id "
          "AND v.version = c.version "
          "WHERE v.baseline_model_id IS NOT NULL AND c.depth < $4) "
          "SELECT v.model_id, m.name, v.version, v.run, v.logged_model, v.deleted "
          "FROM chain c JOIN model_version v ON v.workspace = $1 AND v.model_id = c.model_id "
          "AND v.version = c.version JOIN registered_model m ON m.id = v.model_id "
          "ORDER BY c.depth",
          {workspace, model_id, version, static_cast<std::int64_t>(kLinksMax)}
      )
  );
  std::vector<LinkRow> chain;
  for (std::size_t i = 0; i < rows.size(); ++i) chain.push_back(read_link(rows, i));
  return chain;
}

Status add_datasets(
    store::Transaction& transaction, const std::string& workspace, std::vector<LinkRow>& chain
) {
  std::vector<std::int64_t> keys;
  std::map<std::pair<std::int64_t, std::int64_t>, LineageLink*> by_key;
  for (LinkRow& row : chain) {
    keys.insert(keys.end(), {row.model_id, row.link.id.version});
    by_key[{row.model_id, row.link.id.version}] = &row.link;
  }
  return query_keys(
      transaction,
      "SELECT model_id, version, name, digest, context FROM version_dataset "
      "WHERE workspace = $1 AND (model_id, version) IN ({keys}) ORDER BY name, digest, context",
      workspace,
      2,
      keys,
      [&by_key](const store::Rows& rows) {
        for (std::size_t i = 0; i < rows.size(); ++i) {
          LineageLink* link = by_key.at({rows.integer(i, 0), rows.integer(i, 1)});
          link->datasets.push_back({rows.text(i, 2), rows.text(i, 3), rows.text(i, 4)});
        }
      }
  );
}

bool closes_on_itself(const std::vector<LinkRow>& chain) {
  std::set<std::pair<std::int64_t, std::int64_t>> seen;
  return std::any_of(chain.begin(), chain.end(), [&seen](const LinkRow& row) {
    return !seen.emplace(row.model_id, row.link.id.version).second;
  });
}

// Whether the version may hang on the chain that begins at its new baseline.
Status check_chain(const std::vector<LinkRow>& chain, std::int64_t model_id, const VersionId& id) {
  if (chain.size() >= kLinksMax) {
    return failed_precondition(
        "the chain of baselines would be longer than " + std::to_string(kLinksMax)
    );
  }
  for (const LinkRow& row : chain) {
    if (row.model_id != model_id || row.link.id.version != id.version) continue;
    return failed_precondition(
        "version " + std::to_string(id.version) + " of model '" + id.model +
        "' would be its own ancestor"
    );
  }
  return {};
}

Status write_baseline(
    store::Transaction& transaction,
    const Authorship& author,
    const VersionId& id,
    std::int64_t model_id,
    const std::optional<std::pair<std::int64_t, std::int64_t>>& baseline
) {
  return transaction
      .execute(
          "UPDATE model_version SET baseline_model_id = $4, baseline_version = $5, "
          "updated_at = $6 WHERE workspace = $1 AND model_id = $2 AND version = $3",
          {author.workspace,
           model_id,
           id.version,
           baseline ? store::Value(baseline->first) : store::Value(),
           baseline ? store::Value(baseline->second) : store::Value(),
           author.at}
      )
      .status();
}

AuditEvent baseline_event(const VersionId& id, const std::optional<VersionId>& baseline) {
  if (!baseline) return version_event("baseline_removed", id);
  return version_event(
      "baseline_set",
      id,
      {{"baseline_model", baseline->model}, {"baseline_version", baseline->version}}
  );
}

}  // namespace

Status set_baseline(
    store::Transaction& transaction,
    const Authorship& author,
    const VersionId& id,
    const std::optional<VersionId>& baseline
) {
  CORTEX_ASSIGN_OR_RETURN(const HeldVersion held, hold_version(transaction, author, id));
  std::optional<std::pair<std::int64_t, std::int64_t>> place;
  if (baseline) {
    CORTEX_ASSIGN_OR_RETURN(
        const auto model_id, find_version_model(transaction, author.workspace, *baseline)
    );
    if (!model_id) return version_not_found(*baseline);
    CORTEX_ASSIGN_OR_RETURN(
        const auto chain, find_chain(transaction, author.workspace, *model_id, baseline->version)
    );
    CORTEX_RETURN_IF_ERROR(check_chain(chain, held.model.id, id));
    place = {*model_id, baseline->version};
  }
  CORTEX_RETURN_IF_ERROR(write_baseline(transaction, author, id, held.model.id, place));
  return append_audit(transaction, author, baseline_event(id, baseline));
}

Status add_version_datasets(
    store::Transaction& transaction,
    const Authorship& author,
    const VersionId& id,
    std::span<const VersionDataset> datasets
) {
  CORTEX_ASSIGN_OR_RETURN(const HeldVersion held, hold_version(transaction, author, id));
  for (const VersionDataset& dataset : datasets) {
    if (dataset.name.empty()) return invalid_argument("A data set needs a name.");
    CORTEX_ASSIGN_OR_RETURN(
        const std::int64_t added,
        transaction.execute(
            "INSERT INTO version_dataset (workspace, model_id, version, name, digest, context) "
            "VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING",
            {author.workspace,
             held.model.id,
             id.version,
             dataset.name,
             dataset.digest,
             dataset.context}
        )
    );
    if (added == 0) continue;
    const AuditEvent event = version_event(
        "dataset_added",
        id,
        {{"name", dataset.name}, {"digest", dataset.digest}, {"context", dataset.context}}
    );
    CORTEX_RETURN_IF_ERROR(append_audit(transaction, author, event));
  }
  return {};
}

Result<std::vector<LineageLink>> find_lineage(
    store::Transaction& transaction, const std::string& workspace, const VersionId& id
) {
  CORTEX_ASSIGN_OR_RETURN(const auto model_id, find_version_model(transaction, workspace, id));
  if (!model_id) return version_not_found(id);
  CORTEX_ASSIGN_OR_RETURN(auto chain, find_chain(transaction, workspace, *model_id, id.version));
  if (closes_on_itself(chain)) {
    return failed_precondition("the chain of baselines closes on itself");
  }
  if (chain.size() > kLinksMax) chain.resize(kLinksMax);
  CORTEX_RETURN_IF_ERROR(add_datasets(transaction, workspace, chain));
  std::vector<LineageLink> links;
  for (std::size_t i = chain.size(); i-- > 0;) {
    if (!links.empty()) chain[i].link.baseline = links.back().id;
    links.push_back(std::move(chain[i].link));
  }
  return links;
}

}  // namespace cortex::registry
