// SPDX-License-Identifier: Apache-2.0
#include "store/artifact_upload.h"

#include <sys/random.h>

#include <array>

#include "base/check.h"
#include "store/artifact_index.h"

namespace cortex::store {
namespace {

std::string new_id() {
  std::array<unsigned char, 32> raw{};
  CHECK(
      ::getrandom(raw.data(), raw.size(), 0) == static_cast<ssize_t>(raw.size()),
      "the kernel gives random bytes"
  );
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string id;
  for (const unsigned char byte : raw) {
    id.push_back(kDigits[byte >> 4]);
    id.push_back(kDigits[byte & 15]);
  }
  return id;
}

Status drop_parts(Transaction& transaction, const std::string& id) {
  CORTEX_ASSIGN_OR_RETURN(const auto parts, list_upload_parts(transaction, id));
  for (const UploadPart& part : parts) {
    CORTEX_RETURN_IF_ERROR(release_blob(transaction, part.blob.digest));
  }
  return transaction.execute("DELETE FROM artifact_upload_part WHERE upload = $1", {id}).status();
}

Status drop_part(Transaction& transaction, const std::string& id, std::int64_t number) {
  CORTEX_ASSIGN_OR_RETURN(
      const Rows rows,
      transaction.query(
          "DELETE FROM artifact_upload_part WHERE upload = $1 AND number = $2 RETURNING digest",
          {id, number}
      )
  );
  return rows.empty() ? Status() : release_blob(transaction, rows.text(0, 0));
}

}  // namespace

Result<ArtifactUpload> begin_upload(
    Transaction& transaction, std::string_view workspace, std::string_view path, std::int64_t parts
) {
  if (parts < 1 || parts > kUploadPartsMax) {
    return invalid_argument("an upload has between 1 and 10000 parts");
  }
  ArtifactUpload upload{new_id(), std::string(workspace), std::string(path), parts, false};
  CORTEX_RETURN_IF_ERROR(
      transaction
          .execute(
              "INSERT INTO artifact_upload (id, workspace, path, parts, created_at)"
              " VALUES ($1, $2, $3, $4, $5)",
              {upload.id, upload.workspace, upload.path, parts, unix_milliseconds()}
          )
          .status()
  );
  return upload;
}

Result<ArtifactUpload> find_upload(Transaction& transaction, std::string_view id) {
  CORTEX_ASSIGN_OR_RETURN(
      const Rows rows,
      transaction.query(
          "SELECT id, workspace, path, parts, digest FROM artifact_upload WHERE id = $1",
          {std::string(id)}
      )
  );
  if (rows.empty()) return not_found("there is no such upload");
  return ArtifactUpload{
      rows.text(0, 0), rows.text(0, 1), rows.text(0, 2), rows.integer(0, 3), !rows.is_null(0, 4)
  };
}

Status put_upload_part(Transaction& transaction, std::string_view id, const UploadPart& part) {
  CORTEX_ASSIGN_OR_RETURN(const ArtifactUpload upload, find_upload(transaction, id));
  if (upload.finished) return failed_precondition("the upload is finished");
  if (part.number < 1 || part.number > upload.parts) {
    return invalid_argument("the upload has no part of that number");
  }
  CORTEX_RETURN_IF_ERROR(hold_blob(transaction, part.blob));
  CORTEX_RETURN_IF_ERROR(drop_part(transaction, upload.id, part.number));
  return transaction
      .execute(
          "INSERT INTO artifact_upload_part (upload, number, digest, size) VALUES ($1, $2, $3, $4)",
          {upload.id, part.number, part.blob.digest, static_cast<std::int64_t>(part.blob.size)}
      )
      .status();
}

Result<std::vector<UploadPart>> list_upload_parts(Transaction& transaction, std::string_view id) {
  CORTEX_ASSIGN_OR_RETURN(
      const Rows rows,
      transaction.query(
          "SELECT number, digest, size FROM artifact_upload_part WHERE upload = $1 ORDER BY number",
          {std::string(id)}
      )
  );
  std::vector<UploadPart> out;
  for (std::size_t row = 0; row < rows.size(); ++row) {
    const auto size = static_cast<std::uint64_t>(rows.integer(row, 2));
    out.push_back({rows.integer(row, 0), {rows.text(row, 1), size}});
  }
  return out;
}

Status finish_upload(Transaction& transaction, std::string_view id, const Blob& blob) {
  CORTEX_ASSIGN_OR_RETURN(const ArtifactUpload upload, find_upload(transaction, id));
  if (upload.finished) return {};
  CORTEX_RETURN_IF_ERROR(put_artifact(transaction, upload.workspace, upload.path, blob));
  CORTEX_RETURN_IF_ERROR(drop_parts(transaction, upload.id));
  return transaction
      .execute("UPDATE artifact_upload SET digest = $2 WHERE id = $1", {upload.id, blob.digest})
      .status();
}

Status abort_upload(Transaction& transaction, std::string_view id) {
  const std::string key(id);
  CORTEX_RETURN_IF_ERROR(drop_parts(transaction, key));
  return transaction.execute("DELETE FROM artifact_upload WHERE id = $1", {key}).status();
}

Result<std::size_t> expire_uploads(Transaction& transaction, Duration age) {
  const std::int64_t before =
      unix_milliseconds() - std::chrono::duration_cast<std::chrono::milliseconds>(age).count();
  CORTEX_ASSIGN_OR_RETURN(
      const Rows rows,
      transaction.query(
          "SELECT id FROM artifact_upload WHERE created_at <= $1 ORDER BY created_at LIMIT 100",
          {before}
      )
  );
  for (std::size_t row = 0; row < rows.size(); ++row) {
    CORTEX_RETURN_IF_ERROR(abort_upload(transaction, rows.text(row, 0)));
  }
  return rows.size();
}

}  // namespace cortex::store
