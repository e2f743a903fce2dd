// SPDX-License-Identifier: Apache-2.0
// What is taken away and what is found amiss, by the protocol of artifact_index.h.
#include <algorithm>
#include <map>
#include <utility>

#include "base/clock.h"
#include "store/artifact_index.h"

namespace cortex::store {
namespace {

constexpr std::size_t kBatch = 500;

std::vector<Blob> blobs_of(const Rows& rows) {
  std::vector<Blob> out;
  for (std::size_t row = 0; row < rows.size(); ++row) {
    out.push_back({rows.text(row, 0), static_cast<std::uint64_t>(rows.integer(row, 1))});
  }
  return out;
}

// Takes rows out of the table that nothing has referred to since `before`, at most a batch.
Result<std::vector<Blob>> take_unused(Store& store, std::int64_t before) {
  std::vector<Blob> taken;
  CORTEX_RETURN_IF_ERROR(store.write_and_wait([&](Transaction& transaction) -> Status {
    CORTEX_ASSIGN_OR_RETURN(
        const Rows rows,
        transaction.query(
            "DELETE FROM blob WHERE uses = 0 AND digest IN"
            " (SELECT digest FROM blob WHERE uses = 0 AND unused_since <= $1"
            "  ORDER BY unused_since LIMIT $2) RETURNING digest, size",
            {before, static_cast<std::int64_t>(kBatch)}
        )
    );
    taken = blobs_of(rows);
    return {};
  }));
  return taken;
}

// The rows with digests in (after, last].
Result<std::map<std::string, std::uint64_t>> rows_between(
    Store& store, const std::string& after, const std::string& last
) {
  std::map<std::string, std::uint64_t> out;
  CORTEX_RETURN_IF_ERROR(store.read_and_wait([&](Transaction& transaction) -> Status {
    CORTEX_ASSIGN_OR_RETURN(
        const Rows rows,
        transaction.query(
            "SELECT digest, size FROM blob WHERE digest > $1 AND digest <= $2", {after, last}
        )
    );
    out.clear();
    for (Blob& blob : blobs_of(rows)) out.emplace(std::move(blob.digest), blob.size);
    return {};
  }));
  return out;
}

// Between the looks at the store and at the table, blobs come and go: only what is still as it was
// seen counts.
Status compare(
    ArtifactStore& artifacts,
    const std::vector<StoredBlob>& stored,
    std::map<std::string, std::uint64_t> rows,
    Duration age,
    Strays& out
) {
  for (const StoredBlob& one : stored) {
    if (rows.erase(one.blob.digest) > 0 || one.age < age) continue;
    CORTEX_ASSIGN_OR_RETURN(const bool there, artifacts.contains(one.blob.digest));
    if (there) out.without_row.push_back(one.blob);
  }
  for (auto& [digest, size] : rows) {
    CORTEX_ASSIGN_OR_RETURN(const bool there, artifacts.contains(digest));
    if (!there) out.without_bytes.push_back({digest, size});
  }
  return {};
}

std::int64_t milliseconds(Duration duration) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(duration).count();
}

}  // namespace

Result<std::uint64_t> collect_artifacts(Store& store, ArtifactStore& artifacts, Duration grace) {
  std::uint64_t freed = 0;
  const std::int64_t before = unix_milliseconds() - milliseconds(grace);
  while (true) {
    CORTEX_ASSIGN_OR_RETURN(const std::vector<Blob> taken, take_unused(store, before));
    for (const Blob& blob : taken) {
      CORTEX_ASSIGN_OR_RETURN(const bool gone, artifacts.remove(blob.digest, grace));
      if (gone) freed += blob.size;
    }
    if (taken.size() < kBatch) return freed;
  }
}

Result<Strays> find_strays(Store& store, ArtifactStore& artifacts, Duration age) {
  // Behind every digest.
  const std::string end(64, 'g');
  Strays out;
  std::string after;
  while (true) {
    CORTEX_ASSIGN_OR_RETURN(const auto stored, artifacts.list(after, kBatch));
    const bool last = stored.size() < kBatch;
    const std::string bound = last ? end : stored.back().blob.digest;
    CORTEX_ASSIGN_OR_RETURN(auto rows, rows_between(store, after, bound));
    CORTEX_RETURN_IF_ERROR(compare(artifacts, stored, std::move(rows), age, out));
    if (last) return out;
    after = bound;
  }
}

Result<std::uint64_t> remove_strays(Store& store, ArtifactStore& artifacts, Duration grace) {
  CORTEX_ASSIGN_OR_RETURN(const Strays strays, find_strays(store, artifacts, grace));
  std::uint64_t freed = 0;
  for (const Blob& blob : strays.without_row) {
    CORTEX_ASSIGN_OR_RETURN(const bool gone, artifacts.remove(blob.digest, grace));
    if (gone) freed += blob.size;
  }
  return freed;
}

}  // namespace cortex::store
