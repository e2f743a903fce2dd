// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "store/artifact_path.h"
#include "store/artifact_store.h"
#include "store/store.h"
#include "store/transaction.h"

namespace cortex::store {

// Which blob stands under which path: "1/<run>/artifacts/model/MLmodel". Every path that comes in
// here has passed check_artifact_path.
//
// How bytes live and go, so that no path ever names bytes that are gone:
//   1. BlobWriter::finish() makes the blob's age zero, also when the store had the bytes already.
//   2. A reference to it (put_artifact, hold_blob) is committed within `grace` of that.
//   3. collect_artifacts deletes the rows that nothing has referred to for `grace`, commits, and
//   then
//      removes their blobs, unless they are younger than `grace`.
// An upload of bytes that are just being collected has come to 1 before the removal: then they are
// young and stay, and 2 makes the row anew; or after it: then 1 has put them there anew. A kill
// between commit and removal, a blob that stayed young and then got no reference, and an upload
// that was killed between 1 and 2 leave bytes without a row: remove_strays takes them by the same
// rule. `grace` is far longer than the store's deadline for a work: an hour, zero in tests alone.
struct ArtifactEntry {
  std::string path;  // whole
  bool is_folder = false;
  std::string digest;  // empty for a folder
  std::uint64_t size = 0;
};

// The tables of artifacts, blobs and multipart uploads. Two works that change one folder at once
// must not both commit what neither saw: transactions are serializable.
[[nodiscard]] const Schema& artifact_schema();

// Puts a blob under a path, in the place of what stood there. kFailedPrecondition when the path is
// a folder, or a part of it is a file.
[[nodiscard]] Status put_artifact(
    Transaction& transaction, std::string_view workspace, std::string_view path, const Blob& blob
);
[[nodiscard]] Result<std::optional<ArtifactEntry>> find_artifact(
    Transaction& transaction, std::string_view workspace, std::string_view path
);
// What stands directly below a folder, by name; "" is the root. Empty for a file or an unknown
// path. `after` continues behind that name; at most `limit`.
[[nodiscard]] Result<std::vector<ArtifactEntry>> list_artifacts(
    Transaction& transaction,
    std::string_view workspace,
    std::string_view folder,
    std::string_view after,
    std::size_t limit
);
// Every file below a folder, folder by folder, at most `limit`.
[[nodiscard]] Result<std::vector<ArtifactEntry>> walk_artifacts(
    Transaction& transaction, std::string_view workspace, std::string_view folder, std::size_t limit
);
// Removes a file, or a folder with all below it, and the folders above that are empty then; "" is
// everything. The number of files.
[[nodiscard]] Result<std::int64_t> remove_artifacts(
    Transaction& transaction, std::string_view workspace, std::string_view path
);

// Keeps a blob that stands under no path, once for every call, until as many calls of release_blob.
[[nodiscard]] Status hold_blob(Transaction& transaction, const Blob& blob);
[[nodiscard]] Status release_blob(Transaction& transaction, std::string_view digest);

// Steps 3 of the above; the number of bytes that were freed. Blocks.
[[nodiscard]] Result<std::uint64_t> collect_artifacts(
    Store& store, ArtifactStore& artifacts, Duration grace
);

// Where table and store disagree.
struct Strays {
  std::vector<Blob> without_row;    // at least as old as asked for
  std::vector<Blob> without_bytes;  // lost: the store does not have them
};
// Reads the whole table and lists the whole store. Blocks.
[[nodiscard]] Result<Strays> find_strays(Store& store, ArtifactStore& artifacts, Duration age);
// Removes the bytes without a row; the number of bytes that were freed. Blocks.
[[nodiscard]] Result<std::uint64_t> remove_strays(
    Store& store, ArtifactStore& artifacts, Duration grace
);

}  // namespace cortex::store
