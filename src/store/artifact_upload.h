// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/status.h"
#include "store/artifact_store.h"
#include "store/transaction.h"

namespace cortex::store {

inline constexpr std::int64_t kUploadPartsMax = 10'000;

// An upload in parts that come in any order, each a blob of its own until ArtifactStore::join()
// makes one of all. Its row stays after the end, so that a client that asks twice is answered
// twice.
struct ArtifactUpload {
  std::string id;  // 64 random hexadecimal digits: who knows it may send parts
  std::string workspace;
  std::string path;
  std::int64_t parts = 0;  // how many there will be; their numbers begin at 1
  bool finished = false;
};
struct UploadPart {
  std::int64_t number = 0;
  Blob blob;
};

// kInvalidArgument for a number of parts that is none.
[[nodiscard]] Result<ArtifactUpload> begin_upload(
    Transaction& transaction, std::string_view workspace, std::string_view path, std::int64_t parts
);
// kNotFound when there is none of that id.
[[nodiscard]] Result<ArtifactUpload> find_upload(Transaction& transaction, std::string_view id);
// In the place of an earlier one of that number. kInvalidArgument for a number that it does not
// have; kFailedPrecondition when it is finished.
[[nodiscard]] Status put_upload_part(
    Transaction& transaction, std::string_view id, const UploadPart& part
);
// By number.
[[nodiscard]] Result<std::vector<UploadPart>> list_upload_parts(
    Transaction& transaction, std::string_view id
);
// Puts the joined blob under the path and lets the parts go. Nothing when it is finished already.
[[nodiscard]] Status finish_upload(Transaction& transaction, std::string_view id, const Blob& blob);
// Lets the parts go and forgets it; nothing when there is none.
[[nodiscard]] Status abort_upload(Transaction& transaction, std::string_view id);
// Forgets those that began longer ago than `age`, at most 100; how many.
[[nodiscard]] Result<std::size_t> expire_uploads(Transaction& transaction, Duration age);

}  // namespace cortex::store
