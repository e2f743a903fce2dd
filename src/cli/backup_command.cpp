// SPDX-License-Identifier: Apache-2.0
#include <chrono>
#include <ctime>
#include <ostream>

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include "cli/backup_archive.h"
#include "cli/detail/context.h"
#include "cli/detail/json.h"
#include "cli/detail/progress.h"
#include "cli/detail/table.h"

namespace cortex::cli::detail {
namespace {

namespace json = boost::json;

constexpr std::uint64_t kChunkBytes = 8u << 20;
// The server answers when it has copied the whole database.
constexpr std::chrono::hours kCopyTimeout{1};
constexpr std::string_view kApiRoot = "/api/v2";

struct BackupFlags {
  std::string file;
  std::string data;
  bool database_only = false;
};

std::uint64_t size_member(const json::value& value, std::string_view name) {
  const json::value* found = member(value, name);
  boost::system::error_code error;
  const auto out = found == nullptr ? 0 : found->to_number<std::uint64_t>(error);
  return error ? 0 : out;
}

class Backup {
 public:
  Backup(Context& context, net::HttpClient client, const BackupFlags& flags)
      : context_(context),
        client_(std::move(client)),
        flags_(flags),
        progress_(context.err, flags.file, 0) {}

  Status run() {
    CORTEX_ASSIGN_OR_RETURN(ArchiveWriter archive, ArchiveWriter::create(flags_.file));
    CORTEX_ASSIGN_OR_RETURN(const json::value copy, ask("POST", "/backups"));
    const std::string target = "/backups/" + net::path_segment(text_member(copy, "id"));
    const Status status = fill(archive, copy, target);
    // The server keeps one copy at most; a newer one takes the place of this one.
    [[maybe_unused]] const auto ignored = ask("DELETE", target);
    CORTEX_RETURN_IF_ERROR(status);
    progress_.finish();
    context_.out << flags_.file << ": the database (" << bytes_text(size_member(copy, "size"))
                 << ")"
                 << (flags_.database_only ? ", without artifacts"
                                          : " and " + std::to_string(blobs_) + " artifacts (" +
                                                bytes_text(blob_bytes_) + ")")
                 << "\n";
    return {};
  }

 private:
  Status fill(ArchiveWriter& archive, const json::value& copy, const std::string& target) {
    const ArchiveEntry database{std::string(kDatabaseEntry), size_member(copy, "size")};
    CORTEX_ASSIGN_OR_RETURN(const bool there, add(archive, database, target + "/content"));
    if (!there) return failed_precondition("another backup took the place of this one");
    if (!flags_.database_only) CORTEX_RETURN_IF_ERROR(add_blobs(archive));
    CORTEX_RETURN_IF_ERROR(add_manifest(archive, copy));
    return archive.finish();
  }

  Status add_blobs(ArchiveWriter& archive) {
    std::string after;
    do {
      CORTEX_ASSIGN_OR_RETURN(const json::value page, ask("GET", "/blobs?after=" + after));
      const json::value* blobs = member(page, "blobs");
      if (blobs == nullptr || !blobs->is_array()) {
        return failed_precondition("the answer holds no list of blobs");
      }
      for (const json::value& blob : blobs->get_array()) {
        CORTEX_RETURN_IF_ERROR(add_blob(archive, blob));
      }
      after = text_member(page, "next_after");
    } while (!after.empty());
    return {};
  }

  Status add_blob(ArchiveWriter& archive, const json::value& blob) {
    const std::string digest = text_member(blob, "digest");
    if (digest.size() < 2) return failed_precondition("the answer names no blob");
    const std::string name = std::string(kBlobPrefix) + digest.substr(0, 2) + "/" + digest;
    const std::uint64_t size = size_member(blob, "size");
    CORTEX_ASSIGN_OR_RETURN(
        const bool there, add(archive, {name, size}, "/blobs/" + net::path_segment(digest))
    );
    // Nothing refers to it any more since the database was copied.
    if (!there) return {};
    ++blobs_;
    blob_bytes_ += size;
    return {};
  }

  // False: there is no such thing any more.
  Result<bool> add(ArchiveWriter& archive, const ArchiveEntry& entry, const std::string& target) {
    for (std::uint64_t done = 0; done < entry.size || done == 0;) {
      const std::string part = std::string(kApiRoot) + target + "?offset=" + std::to_string(done) +
                               "&limit=" + std::to_string(kChunkBytes);
      net::HttpCall request;
      request.target = part;
      auto answer = call(client_, request);
      const bool gone = done == 0 && answer.status().code() == Code::kNotFound;
      if (gone) return false;
      CORTEX_RETURN_IF_ERROR(answer.status());
      if (done == 0) CORTEX_RETURN_IF_ERROR(archive.begin(entry));
      const bool fits = answer->body.size() <= entry.size - done;
      if (!fits || (answer->body.empty() && entry.size > 0)) {
        return failed_precondition("the server sent another size of '" + entry.name + "'");
      }
      CORTEX_RETURN_IF_ERROR(archive.write(answer->body));
      done += answer->body.size();
      fetched_ += answer->body.size();
      progress_.reach(fetched_);
      if (entry.size == 0) break;
    }
    return true;
  }

  Status add_manifest(ArchiveWriter& archive, const json::value& copy) {
    json::object manifest{
        {"format", kBackupFormat},
        {"created_at", static_cast<std::int64_t>(std::time(nullptr)) * 1000},
        {"database",
         json::object{{"size", size_member(copy, "size")}, {"sha256", text_member(copy, "digest")}}
        },
    };
    if (!flags_.database_only) {
      manifest.emplace("artifacts", json::object{{"count", blobs_}, {"bytes", blob_bytes_}});
    }
    const std::string text = json::serialize(manifest) + "\n";
    CORTEX_RETURN_IF_ERROR(archive.begin({std::string(kManifestEntry), text.size()}));
    return archive.write(text);
  }

  Result<json::value> ask(std::string_view method, const std::string& path) {
    const std::string target = std::string(kApiRoot) + path;
    net::HttpCall request;
    request.method = method;
    request.target = target;
    if (method != "DELETE") return call_json(client_, request);
    CORTEX_RETURN_IF_ERROR(call(client_, request).status());
    return json::value();
  }

  Context& context_;
  net::HttpClient client_;
  const BackupFlags& flags_;
  Progress progress_;  // of everything
  std::uint64_t fetched_ = 0;
  std::uint64_t blobs_ = 0;
  std::uint64_t blob_bytes_ = 0;
};

Status run_restore(Context& context, const BackupFlags& flags) {
  if (!context.hooks.restore) return unimplemented("this program cannot restore");
  CORTEX_ASSIGN_OR_RETURN(const std::string said, context.hooks.restore(flags.file, flags.data));
  context.out << said;
  return {};
}

}  // namespace

void add_backup_command(const Command& root) {
  const Command command =
      root.add("backup", "Write what a running server keeps, one moment of it, to a file.");
  auto flags = std::make_shared<BackupFlags>();
  command.option("file", flags->file, "The new file, a tar archive").required().type("FILE");
  command.flag("--database-only", flags->database_only, "Leave the artifacts out");
  const auto server = add_server_flags(command);
  command.does([&context = root.context(), flags, server]() -> Status {
    net::HttpClientOptions options;
    options.url = server->url;
    options.key = server->key;
    options.timeout = kCopyTimeout;
    CORTEX_ASSIGN_OR_RETURN(net::HttpClient client, net::HttpClient::make(std::move(options)));
    return Backup(context, std::move(client), *flags).run();
  });
}

void add_restore_command(const Command& root) {
  const Command command =
      root.add("restore", "Make a data folder of a backup, after every byte of it was checked.");
  auto flags = std::make_shared<BackupFlags>();
  command.option("file", flags->file, "What `backup` wrote").required().type("FILE");
  command.option("--data", flags->data, "The data folder; it must hold no database")
      .required()
      .type("DIR");
  command.does([&context = root.context(), flags] { return run_restore(context, *flags); });
}

}  // namespace cortex::cli::detail
