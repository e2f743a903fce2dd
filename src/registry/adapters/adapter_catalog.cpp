// SPDX-License-Identifier: Apache-2.0
#include "registry/adapters/adapter_catalog.h"

#include <array>
#include <string_view>
#include <utility>

namespace cortex::registry {
namespace {

constexpr std::string_view kTables = R"(
CREATE TABLE adapter (
  name {text} PRIMARY KEY,
  base_model {text} NOT NULL,
  path {text} NOT NULL,
  digest {text} NOT NULL,
  bytes BIGINT NOT NULL,
  scale DOUBLE PRECISION NOT NULL,
  pinned BIGINT NOT NULL,
  lora_rank BIGINT NOT NULL,
  alpha DOUBLE PRECISION NOT NULL,
  training_method {text} NOT NULL,
  description {text} NOT NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL
);
CREATE TABLE adapter_tag (
  adapter {text} NOT NULL,
  key {text} NOT NULL,
  value {text} NOT NULL,
  PRIMARY KEY (adapter, key)
);
)";
constexpr std::array<std::string_view, 1> kSteps = {kTables};

AdapterRecord read_adapter(const store::Rows& rows, std::size_t row) {
  AdapterRecord out;
  out.name = rows.text(row, 0);
  out.base_model = rows.text(row, 1);
  out.path = rows.text(row, 2);
  out.digest = rows.text(row, 3);
  out.bytes = rows.integer(row, 4);
  out.scale = rows.real(row, 5);
  out.pinned = rows.integer(row, 6) != 0;
  out.rank = rows.integer(row, 7);
  out.alpha = rows.real(row, 8);
  out.training_method = rows.text(row, 9);
  out.description = rows.text(row, 10);
  out.created_at = rows.integer(row, 11);
  out.updated_at = rows.integer(row, 12);
  return out;
}

Status check_count(store::Transaction& transaction, const std::string& name) {
  CORTEX_ASSIGN_OR_RETURN(
      const store::Rows rows,
      transaction.query("SELECT count(*) FROM adapter WHERE name <> $1", {name})
  );
  if (rows.integer(0, 0) < static_cast<std::int64_t>(kAdaptersMax)) return {};
  return resource_exhausted(
      "there are " + std::to_string(kAdaptersMax) + " adapters already: unregister one"
  );
}

Status put_tags(store::Transaction& transaction, const AdapterRecord& adapter) {
  CORTEX_RETURN_IF_ERROR(
      transaction.execute("DELETE FROM adapter_tag WHERE adapter = $1", {adapter.name}).status()
  );
  std::vector<store::Value> values;
  for (const auto& [key, value] : adapter.tags) {
    values.insert(values.end(), {store::Value(adapter.name), store::Value(key), value});
  }
  if (values.empty()) return {};
  return transaction
      .execute_many("INSERT INTO adapter_tag (adapter, key, value) VALUES ($1, $2, $3)", 3, values)
      .status();
}

}  // namespace

const store::Schema& adapter_schema() {
  static constexpr store::Schema kSchema{"adapters", kSteps};
  return kSchema;
}

Result<std::vector<AdapterRecord>> read_adapters(store::Transaction& transaction) {
  CORTEX_ASSIGN_OR_RETURN(
      const store::Rows rows,
      transaction.query(
          "SELECT name, base_model, path, digest, bytes, scale, pinned, lora_rank, alpha, "
          "training_method, description, created_at, updated_at FROM adapter ORDER BY name"
      )
  );
  std::vector<AdapterRecord> out;
  std::map<std::string, std::size_t> places;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    out.push_back(read_adapter(rows, i));
    places[out.back().name] = i;
  }
  CORTEX_ASSIGN_OR_RETURN(
      const store::Rows tags, transaction.query("SELECT adapter, key, value FROM adapter_tag")
  );
  for (std::size_t i = 0; i < tags.size(); ++i) {
    const auto place = places.find(tags.text(i, 0));
    if (place != places.end()) out[place->second].tags[tags.text(i, 1)] = tags.text(i, 2);
  }
  return out;
}

Status put_adapter(store::Transaction& transaction, const AdapterRecord& adapter) {
  CORTEX_RETURN_IF_ERROR(check_count(transaction, adapter.name));
  CORTEX_RETURN_IF_ERROR(transaction.note_change("adapter", adapter.name).status());
  CORTEX_RETURN_IF_ERROR(
      transaction
          .execute(
              "INSERT INTO adapter (name, base_model, path, digest, bytes, scale, pinned, "
              "lora_rank, alpha, training_method, description, created_at, updated_at) "
              "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) "
              "ON CONFLICT (name) DO UPDATE SET base_model = excluded.base_model, "
              "path = excluded.path, digest = excluded.digest, bytes = excluded.bytes, "
              "scale = excluded.scale, pinned = excluded.pinned, "
              "lora_rank = excluded.lora_rank, alpha = excluded.alpha, "
              "training_method = excluded.training_method, "
              "description = excluded.description, updated_at = excluded.updated_at",
              {adapter.name,
               adapter.base_model,
               adapter.path,
               adapter.digest,
               adapter.bytes,
               adapter.scale,
               static_cast<std::int64_t>(adapter.pinned),
               adapter.rank,
               adapter.alpha,
               adapter.training_method,
               adapter.description,
               adapter.created_at,
               adapter.updated_at}
          )
          .status()
  );
  return put_tags(transaction, adapter);
}

Status delete_adapter(store::Transaction& transaction, const std::string& name) {
  CORTEX_RETURN_IF_ERROR(transaction.note_change("adapter", name).status());
  CORTEX_RETURN_IF_ERROR(
      transaction.execute("DELETE FROM adapter_tag WHERE adapter = $1", {name}).status()
  );
  CORTEX_ASSIGN_OR_RETURN(
      const std::int64_t gone, transaction.execute("DELETE FROM adapter WHERE name = $1", {name})
  );
  return gone > 0 ? Status() : not_found("there is no adapter '" + name + "'");
}

}  // namespace cortex::registry
