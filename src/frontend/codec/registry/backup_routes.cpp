// SPDX-License-Identifier: Apache-2.0
#include <cstdint>
#include <span>
#include <string>
#include <utility>

#include <boost/json.hpp>

#include "frontend/codec/registry/backup_copies.h"
#include "frontend/codec/registry/documents.h"
#include "frontend/codec/registry/registry_route.h"

namespace cortex::frontend::registry_api {
namespace {

namespace json = boost::json;

constexpr std::int64_t kPieceBytes = 8 << 20;
constexpr Query::Range kOffset{0, 0, INT64_MAX};
constexpr Query::Range kPiece{kPieceBytes, 1, kPieceBytes};
constexpr Query::Range kBlobPage{1000, 1, 1000};

void say_piece(Answer& answer, std::string piece) {
  answer.binary = true;
  answer.body = std::move(piece);
}

// A copy holds what every workspace keeps.
Status check_whole(const Call& call) {
  if (call.http.principal.every_workspace) return {};
  return permission_denied("this key is bound to a workspace: a backup holds all of them");
}

Result<Plan> make_backup(const Call& call) {
  CORTEX_RETURN_IF_ERROR(check_whole(call));
  CORTEX_RETURN_IF_ERROR(call.precondition.refuse());
  return Plan::files([](const Context& context, Answer& answer) -> Status {
    CORTEX_ASSIGN_OR_RETURN(const BackupCopies::Copy copy, context.copies.make());
    answer.status = 201;
    answer.location = "/api/v2/backups/" + copy.id;
    say(answer, {{"id", copy.id}, {"size", copy.size}, {"digest", copy.digest}});
    return {};
  });
}

Result<Plan> remove_backup(const Call& call) {
  CORTEX_RETURN_IF_ERROR(check_whole(call));
  CORTEX_RETURN_IF_ERROR(call.precondition.refuse());
  return Plan::files([id = call.path_value(0)](const Context& context, Answer& answer) {
    answer.status = 204;
    return context.copies.remove(id);
  });
}

Result<Plan> read_copy(const Call& call) {
  CORTEX_RETURN_IF_ERROR(check_whole(call));
  const auto offset = static_cast<std::uint64_t>(call.query.integer("offset", kOffset));
  const auto limit = static_cast<std::size_t>(call.query.integer("limit", kPiece));
  return Plan::files(
      [id = call.path_value(0), offset, limit](const Context& context, Answer& answer) -> Status {
        CORTEX_ASSIGN_OR_RETURN(std::string piece, context.copies.read(id, offset, limit));
        say_piece(answer, std::move(piece));
        return {};
      }
  );
}

Result<Plan> list_blobs(const Call& call) {
  CORTEX_RETURN_IF_ERROR(check_whole(call));
  const std::string after = call.query.text("after");
  const auto limit = static_cast<std::size_t>(call.query.integer("limit", kBlobPage));
  if (!after.empty() && !store::is_digest(after)) return invalid_argument("after: no digest");
  return Plan::files([after, limit](const Context& context, Answer& answer) -> Status {
    CORTEX_ASSIGN_OR_RETURN(const auto blobs, context.artifacts.list(after, limit));
    json::array out;
    for (const store::StoredBlob& stored : blobs) {
      out.push_back(json::object{{"digest", stored.blob.digest}, {"size", stored.blob.size}});
    }
    json::object document{{"blobs", std::move(out)}};
    if (blobs.size() == limit) document.emplace("next_after", blobs.back().blob.digest);
    say(answer, document);
    return {};
  });
}

Result<Plan> read_blob(const Call& call) {
  CORTEX_RETURN_IF_ERROR(check_whole(call));
  const std::string& digest = call.path_value(0);
  const auto offset = static_cast<std::uint64_t>(call.query.integer("offset", kOffset));
  const auto limit = static_cast<std::size_t>(call.query.integer("limit", kPiece));
  if (!store::is_digest(digest)) return invalid_argument("a blob is named by its SHA-256");
  return Plan::files([digest, offset, limit](const Context& context, Answer& answer) -> Status {
    CORTEX_ASSIGN_OR_RETURN(const auto reader, context.artifacts.open(digest));
    std::string piece(limit, '\0');
    CORTEX_ASSIGN_OR_RETURN(
        const std::size_t length,
        reader->read(offset, std::as_writable_bytes(std::span<char>(piece)))
    );
    piece.resize(length);
    say_piece(answer, std::move(piece));
    return {};
  });
}

}  // namespace

std::vector<RegistryRoute> backup_routes() {
  std::vector<RegistryRoute> routes = {
      {Method::kPost,
       "/backups",
       "Copy the database, one moment of it, to be fetched in pieces",
       "",
       "BackupCopy",
       201,
       {},
       make_backup},
      {Method::kDelete, "/backups/{backup}", "Remove the copy", "", "", 204, {}, remove_backup},
      {Method::kGet,
       "/backups/{backup}/content",
       "A piece of the copy",
       "",
       "Octets",
       200,
       piece_parameters(),
       read_copy},
      {Method::kGet,
       "/blobs",
       "All artifacts by their SHA-256",
       "",
       "BlobPage",
       200,
       blob_parameters(),
       list_blobs},
      {Method::kGet,
       "/blobs/{digest}",
       "A piece of an artifact",
       "",
       "Octets",
       200,
       piece_parameters(),
       read_blob},
  };
  // Whoever copies everything sees everything.
  for (RegistryRoute& route : routes) route.scope = Scope::kAdmin;
  return routes;
}

}  // namespace cortex::frontend::registry_api
