// SPDX-License-Identifier: Apache-2.0
#include "store/artifact_index.h"

#include <array>
#include <utility>

#include "base/check.h"
#include "base/clock.h"

namespace cortex::store {
namespace {

// A folder is a row too (without a digest), so that a listing is one range of the primary key:
// every folder above a row is there, and every folder has something below it.
constexpr std::array<std::string_view, 1> kSteps{
    "CREATE TABLE blob ("
    "  digest {text} NOT NULL PRIMARY KEY,"
    "  size BIGINT NOT NULL,"
    "  uses BIGINT NOT NULL,"
    "  unused_since BIGINT);"
    "CREATE INDEX blob_unused ON blob (unused_since) WHERE uses = 0;"
    "CREATE TABLE artifact ("
    "  workspace {text} NOT NULL,"
    "  folder {text} NOT NULL,"
    "  name {text} NOT NULL,"
    "  digest {text},"
    "  size BIGINT NOT NULL,"
    "  created_at BIGINT NOT NULL,"
    "  PRIMARY KEY (workspace, folder, name));"
    "CREATE TABLE artifact_upload ("
    "  id {text} NOT NULL PRIMARY KEY,"
    "  workspace {text} NOT NULL,"
    "  path {text} NOT NULL,"
    "  parts BIGINT NOT NULL,"
    "  digest {text},"
    "  created_at BIGINT NOT NULL);"
    "CREATE INDEX artifact_upload_age ON artifact_upload (created_at);"
    "CREATE TABLE artifact_upload_part ("
    "  upload {text} NOT NULL,"
    "  number BIGINT NOT NULL,"
    "  digest {text} NOT NULL,"
    "  size BIGINT NOT NULL,"
    "  PRIMARY KEY (upload, number));"
};

Value text_of(std::string_view text) { return std::string(text); }
Value number_of(std::uint64_t number) { return static_cast<std::int64_t>(number); }

std::string join_path(std::string_view folder, std::string_view name) {
  std::string path(folder);
  if (!path.empty()) path.push_back('/');
  path.append(name);
  return path;
}

// The rows of a folder and of all below it, as a condition with its parameters; "" is the whole
// workspace. Bounded on both sides, so that it is one range of the primary key.
struct Below {
  Below(std::string_view workspace, std::string_view folder)
      : where("workspace = $1"), parameters{std::string(workspace)} {
    if (folder.empty()) return;
    where += " AND folder >= $2 AND folder < $3 AND (folder = $2 OR folder > $4)";
    const std::string text(folder);
    parameters.insert(parameters.end(), {text, text + '0', text + '/'});
  }
  // Takes one more parameter and names it.
  std::string add(Value value) {
    parameters.push_back(std::move(value));
    return "$" + std::to_string(parameters.size());
  }

  std::string where;
  std::vector<Value> parameters;
};

// Makes the rows of `folder` and those above it, from the lowest up to the first that is there.
Status ensure_folders(
    Transaction& transaction, std::string_view workspace, std::string_view folder
) {
  while (!folder.empty()) {
    const auto [above, name] = split_artifact_path(folder);
    CORTEX_ASSIGN_OR_RETURN(const auto entry, find_artifact(transaction, workspace, folder));
    if (entry && !entry->is_folder) {
      return failed_precondition("the artifact '" + std::string(folder) + "' is a file");
    }
    if (entry) return {};
    CORTEX_RETURN_IF_ERROR(
        transaction
            .execute(
                "INSERT INTO artifact (workspace, folder, name, size, created_at)"
                " VALUES ($1, $2, $3, 0, $4)",
                {text_of(workspace), text_of(above), text_of(name), unix_milliseconds()}
            )
            .status()
    );
    folder = above;
  }
  return {};
}

// Removes the rows of `folder` and those above it as long as they are empty.
Status prune_folders(
    Transaction& transaction, std::string_view workspace, std::string_view folder
) {
  while (!folder.empty()) {
    const auto [above, name] = split_artifact_path(folder);
    CORTEX_ASSIGN_OR_RETURN(
        const std::int64_t removed,
        transaction.execute(
            "DELETE FROM artifact WHERE workspace = $1 AND folder = $2 AND name = $3"
            " AND digest IS NULL AND NOT EXISTS"
            " (SELECT 1 FROM artifact WHERE workspace = $1 AND folder = $4)",
            {text_of(workspace), text_of(above), text_of(name), text_of(folder)}
        )
    );
    if (removed == 0) return {};
    folder = above;
  }
  return {};
}

ArtifactEntry entry_of(const Rows& rows, std::size_t row) {
  ArtifactEntry entry;
  entry.path = join_path(rows.text(row, 0), rows.text(row, 1));
  entry.is_folder = rows.is_null(row, 2);
  entry.digest = rows.text(row, 2);
  entry.size = static_cast<std::uint64_t>(rows.integer(row, 3));
  return entry;
}

std::vector<ArtifactEntry> entries_of(const Rows& rows) {
  std::vector<ArtifactEntry> out;
  out.reserve(rows.size());
  for (std::size_t row = 0; row < rows.size(); ++row) out.push_back(entry_of(rows, row));
  return out;
}

// Takes away the references of everything below a folder.
Status release_below(Transaction& transaction, Below below) {
  const std::string now = below.add(unix_milliseconds());
  return transaction
      .execute(
          "UPDATE blob SET uses = blob.uses - gone.count, unused_since ="
          " CASE WHEN blob.uses = gone.count THEN CAST(" +
              now +
              " AS BIGINT) ELSE NULL END"
              " FROM (SELECT digest, COUNT(*) AS count FROM artifact WHERE " +
              below.where +
              " AND digest IS NOT NULL GROUP BY digest) AS gone WHERE blob.digest = gone.digest",
          below.parameters
      )
      .status();
}

// The number of files.
Result<std::int64_t> remove_below(
    Transaction& transaction, std::string_view workspace, std::string_view folder
) {
  const Below below(workspace, folder);
  CORTEX_ASSIGN_OR_RETURN(
      const Rows rows,
      transaction.query(
          "SELECT COUNT(*) FROM artifact WHERE " + below.where + " AND digest IS NOT NULL",
          below.parameters
      )
  );
  CORTEX_RETURN_IF_ERROR(release_below(transaction, below));
  CORTEX_RETURN_IF_ERROR(
      transaction.execute("DELETE FROM artifact WHERE " + below.where, below.parameters).status()
  );
  return rows.integer(0, 0);
}

Status delete_row(Transaction& transaction, std::string_view workspace, std::string_view path) {
  const auto [folder, name] = split_artifact_path(path);
  return transaction
      .execute(
          "DELETE FROM artifact WHERE workspace = $1 AND folder = $2 AND name = $3",
          {text_of(workspace), text_of(folder), text_of(name)}
      )
      .status();
}

}  // namespace

const Schema& artifact_schema() {
  static constexpr Schema kSchema{"artifact", kSteps};
  return kSchema;
}

Status hold_blob(Transaction& transaction, const Blob& blob) {
  CHECK(is_digest(blob.digest), "a blob has a digest");
  return transaction
      .execute(
          "INSERT INTO blob (digest, size, uses) VALUES ($1, $2, 1)"
          " ON CONFLICT (digest) DO UPDATE SET uses = blob.uses + 1, unused_since = NULL",
          {text_of(blob.digest), number_of(blob.size)}
      )
      .status();
}

Status release_blob(Transaction& transaction, std::string_view digest) {
  CORTEX_ASSIGN_OR_RETURN(
      const std::int64_t released,
      transaction.execute(
          "UPDATE blob SET uses = uses - 1,"
          " unused_since = CASE WHEN uses = 1 THEN CAST($2 AS BIGINT) ELSE NULL END"
          " WHERE digest = $1 AND uses > 0",
          {text_of(digest), unix_milliseconds()}
      )
  );
  if (released == 1) return {};
  return internal("a blob was released more often than it was held: " + std::string(digest));
}

Status put_artifact(
    Transaction& transaction, std::string_view workspace, std::string_view path, const Blob& blob
) {
  const auto [folder, name] = split_artifact_path(path);
  CORTEX_ASSIGN_OR_RETURN(const auto before, find_artifact(transaction, workspace, path));
  if (before && before->is_folder) {
    return failed_precondition("the artifact '" + std::string(path) + "' is a folder");
  }
  if (!before) CORTEX_RETURN_IF_ERROR(ensure_folders(transaction, workspace, folder));
  CORTEX_RETURN_IF_ERROR(hold_blob(transaction, blob));
  if (before) CORTEX_RETURN_IF_ERROR(release_blob(transaction, before->digest));
  return transaction
      .execute(
          "INSERT INTO artifact (workspace, folder, name, digest, size, created_at)"
          " VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (workspace, folder, name) DO UPDATE"
          " SET digest = $4, size = $5, created_at = $6",
          {text_of(workspace),
           text_of(folder),
           text_of(name),
           text_of(blob.digest),
           number_of(blob.size),
           unix_milliseconds()}
      )
      .status();
}

Result<std::optional<ArtifactEntry>> find_artifact(
    Transaction& transaction, std::string_view workspace, std::string_view path
) {
  const auto [folder, name] = split_artifact_path(path);
  CORTEX_ASSIGN_OR_RETURN(
      const Rows rows,
      transaction.query(
          "SELECT folder, name, digest, size FROM artifact"
          " WHERE workspace = $1 AND folder = $2 AND name = $3",
          {text_of(workspace), text_of(folder), text_of(name)}
      )
  );
  if (rows.empty()) return std::optional<ArtifactEntry>();
  return std::optional(entry_of(rows, 0));
}

Result<std::vector<ArtifactEntry>> list_artifacts(
    Transaction& transaction,
    std::string_view workspace,
    std::string_view folder,
    std::string_view after,
    std::size_t limit
) {
  CORTEX_ASSIGN_OR_RETURN(
      const Rows rows,
      transaction.query(
          "SELECT folder, name, digest, size FROM artifact"
          " WHERE workspace = $1 AND folder = $2 AND name > $3 ORDER BY name LIMIT $4",
          {text_of(workspace), text_of(folder), text_of(after), number_of(limit)}
      )
  );
  return entries_of(rows);
}

Result<std::vector<ArtifactEntry>> walk_artifacts(
    Transaction& transaction, std::string_view workspace, std::string_view folder, std::size_t limit
) {
  Below below(workspace, folder);
  const std::string most = below.add(number_of(limit));
  CORTEX_ASSIGN_OR_RETURN(
      const Rows rows,
      transaction.query(
          "SELECT folder, name, digest, size FROM artifact WHERE " + below.where +
              " AND digest IS NOT NULL ORDER BY folder, name LIMIT " + most,
          below.parameters
      )
  );
  return entries_of(rows);
}

Result<std::int64_t> remove_artifacts(
    Transaction& transaction, std::string_view workspace, std::string_view path
) {
  if (path.empty()) return remove_below(transaction, workspace, path);
  CORTEX_ASSIGN_OR_RETURN(const auto entry, find_artifact(transaction, workspace, path));
  if (!entry) return std::int64_t{0};
  std::int64_t files = 1;
  if (entry->is_folder) {
    CORTEX_ASSIGN_OR_RETURN(files, remove_below(transaction, workspace, path));
  } else {
    CORTEX_RETURN_IF_ERROR(release_blob(transaction, entry->digest));
  }
  CORTEX_RETURN_IF_ERROR(delete_row(transaction, workspace, path));
  CORTEX_RETURN_IF_ERROR(prune_folders(transaction, workspace, split_artifact_path(path).first));
  return files;
}

}  // namespace cortex::store
