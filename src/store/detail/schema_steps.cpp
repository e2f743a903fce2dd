// SPDX-License-Identifier: Apache-2.0
#include "store/detail/schema_steps.h"

#include <array>
#include <string>
#include <string_view>

#include "base/log.h"

namespace cortex::store {
namespace {

constexpr std::string_view kVersions = "store_schema";

// The store's own tables; what every room's steps are kept in comes first, by itself.
constexpr std::array<std::string_view, 1> kOwnSteps = {R"(
CREATE TABLE store_revision (id BIGINT PRIMARY KEY, revision BIGINT NOT NULL);
INSERT INTO store_revision (id, revision) VALUES (1, 0);
CREATE TABLE store_change (
  revision BIGINT PRIMARY KEY,
  kind {text} NOT NULL,
  thing {text} NOT NULL,
  noted_at BIGINT NOT NULL
);
)"};
constexpr Schema kOwn = {"store", kOwnSteps};

void replace_all(std::string& text, std::string_view word, std::string_view by) {
  for (std::size_t at = text.find(word); at != std::string::npos; at = text.find(word, at)) {
    text.replace(at, word.size(), by);
    at += by.size();
  }
}

std::string in_dialect(std::string_view sql, const Dialect& dialect) {
  std::string text(sql);
  replace_all(text, "{id}", dialect.id);
  replace_all(text, "{text}", dialect.text);
  return text;
}

Result<std::int64_t> version_of(Connection& connection, std::string_view room) {
  const std::array<Value, 1> parameters = {std::string(room)};
  CORTEX_ASSIGN_OR_RETURN(
      const Rows rows,
      connection.query("SELECT version FROM store_schema WHERE room = $1", parameters)
  );
  return rows.empty() ? std::int64_t{0} : rows.integer(0, 0);
}

Status check_version(Connection& connection, const Schema& schema) {
  CORTEX_ASSIGN_OR_RETURN(const std::int64_t version, version_of(connection, schema.room));
  if (version <= static_cast<std::int64_t>(schema.steps.size())) return {};
  return failed_precondition(
      "the database was written by a newer program: its tables of '" + std::string(schema.room) +
      "' have version " + std::to_string(version) + ", this program knows " +
      std::to_string(schema.steps.size())
  );
}

Status apply(Connection& connection, const Schema& schema) {
  CORTEX_RETURN_IF_ERROR(check_version(connection, schema));
  CORTEX_ASSIGN_OR_RETURN(const std::int64_t version, version_of(connection, schema.room));
  const auto newest = static_cast<std::int64_t>(schema.steps.size());
  if (version == newest) return {};
  for (const std::string_view step : schema.steps.subspan(static_cast<std::size_t>(version))) {
    CORTEX_RETURN_IF_ERROR(connection.run_script(in_dialect(step, connection.dialect())));
  }
  const std::array<Value, 2> parameters = {std::string(schema.room), newest};
  log::info(
      "database tables brought up to date",
      {{"room", schema.room}, {"from_version", version}, {"to_version", newest}}
  );
  return connection
      .execute(
          "INSERT INTO store_schema (room, version) VALUES ($1, $2) "
          "ON CONFLICT (room) DO UPDATE SET version = excluded.version",
          parameters
      )
      .status();
}

}  // namespace

Status check_versions(Connection& connection, std::span<const Schema> schemas) {
  CORTEX_ASSIGN_OR_RETURN(const bool known, connection.has_table(kVersions));
  if (!known) return {};
  CORTEX_RETURN_IF_ERROR(check_version(connection, kOwn));
  for (const Schema& schema : schemas) CORTEX_RETURN_IF_ERROR(check_version(connection, schema));
  return {};
}

Status apply_steps(Connection& connection, std::span<const Schema> schemas) {
  CORTEX_ASSIGN_OR_RETURN(const bool known, connection.has_table(kVersions));
  if (!known) {
    constexpr std::string_view table =
        "CREATE TABLE store_schema (room {text} PRIMARY KEY, version BIGINT NOT NULL)";
    CORTEX_RETURN_IF_ERROR(connection.run_script(in_dialect(table, connection.dialect())));
  }
  CORTEX_RETURN_IF_ERROR(apply(connection, kOwn));
  for (const Schema& schema : schemas) CORTEX_RETURN_IF_ERROR(apply(connection, schema));
  return {};
}

Result<std::int64_t> read_revision(Connection& connection) {
  CORTEX_ASSIGN_OR_RETURN(
      const Rows rows, connection.query("SELECT revision FROM store_revision WHERE id = 1", {})
  );
  return rows.empty() ? std::int64_t{0} : rows.integer(0, 0);
}

}  // namespace cortex::store
