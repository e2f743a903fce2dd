// SPDX-License-Identifier: Apache-2.0
#include "app/restore.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <memory>
#include <span>
#include <system_error>
#include <utility>
#include <vector>

#include <boost/json.hpp>

#include "app/data_lock.h"
#include "app/storage.h"
#include "cli/backup_archive.h"
#include "store/artifact_digest.h"
#include "store/artifact_index.h"
#include "store/artifact_store.h"
#include "store/store.h"

namespace cortex::app {
namespace {

namespace fs = std::filesystem;
namespace json = boost::json;

constexpr std::size_t kChunkBytes = 1 << 20;
constexpr std::size_t kManifestBytesMax = 1 << 20;

Status broken(std::string text) {
  return {Code::kDataLoss, "the backup is broken: " + std::move(text)};
}

Status disk_error(const fs::path& path, const std::error_code& error) {
  return failed_precondition("'" + path.string() + "': " + error.message());
}

// Calls `take` with the bytes of the entry, piece by piece; their digest.
template <typename Take>
Result<std::string> read_entry(cli::ArchiveReader& archive, Take take) {
  store::Digest digest;
  std::vector<char> chunk(kChunkBytes);
  for (;;) {
    CORTEX_ASSIGN_OR_RETURN(const std::size_t got, archive.read(chunk));
    if (got == 0) return digest.finish();
    const auto bytes = std::as_bytes(std::span<const char>(chunk.data(), got));
    digest.add(bytes);
    CORTEX_RETURN_IF_ERROR(take(bytes));
  }
}

// The unpacked backup, beside its place until all of it was checked.
class Stage {
 public:
  explicit Stage(fs::path data) : data_(std::move(data)), folder_(data_ / ".restore") {}
  ~Stage() {
    std::error_code ignored;
    fs::remove_all(folder_, ignored);
  }

  Status prepare() {
    std::error_code error;
    fs::remove_all(folder_, error);
    fs::create_directories(folder_, error);
    if (error) return disk_error(folder_, error);
    CORTEX_ASSIGN_OR_RETURN(blobs_, store::open_artifact_folder(folder_ / "artifacts"));
    return {};
  }

  Status unpack(cli::ArchiveReader& archive) {
    for (;;) {
      CORTEX_ASSIGN_OR_RETURN(const auto entry, archive.next());
      if (!entry) return check_manifest();
      if (!manifest_.empty()) return broken("something stands behind its end");
      if (entry->name == cli::kDatabaseEntry) {
        CORTEX_RETURN_IF_ERROR(unpack_database(archive));
      } else if (entry->name.starts_with(cli::kBlobPrefix)) {
        CORTEX_RETURN_IF_ERROR(unpack_blob(archive, *entry));
      } else if (entry->name == cli::kManifestEntry && entry->size <= kManifestBytesMax) {
        manifest_.resize(entry->size);
        CORTEX_RETURN_IF_ERROR(archive.read(manifest_).status());
      } else {
        return broken("it holds '" + entry->name + "'");
      }
    }
  }

  // Opens it as a server would, which also brings the schema up to date.
  Status check_database() {
    store::StoreOptions options;
    options.address = (folder_ / "cortex.db").string();
    const auto schemas = storage_schemas();
    CORTEX_ASSIGN_OR_RETURN(const auto store, store::open_store(options, schemas));
    CORTEX_RETURN_IF_ERROR(store->check_integrity());
    if (!with_artifacts_) return {};
    CORTEX_ASSIGN_OR_RETURN(
        const store::Strays strays, store::find_strays(*store, *blobs_, std::chrono::hours(1))
    );
    missing_ = strays.without_bytes.size();
    return {};
  }

  // The database last: a folder without it can be restored to again.
  Status move_into_place() {
    blobs_.reset();
    CORTEX_RETURN_IF_ERROR(move("artifacts"));
    CORTEX_RETURN_IF_ERROR(move("cortex.db"));
    const int folder = ::open(data_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0) return {};
    const bool synced = ::fsync(folder) == 0;
    ::close(folder);
    return synced ? Status() : disk_error(data_, {errno, std::system_category()});
  }

  [[nodiscard]] std::string report() const {
    std::string out = data_.string() + ": the database";
    out += with_artifacts_ ? " and " + std::to_string(count_) + " artifacts\n"
                           : ", without artifacts: put them back before the server starts\n";
    if (missing_ > 0) {
      out +=
          std::to_string(missing_) + " artifacts that the database names are not in the backup\n";
    }
    return out;
  }

 private:
  Status unpack_database(cli::ArchiveReader& archive) {
    const fs::path path = folder_ / "cortex.db";
    std::ofstream out(path, std::ios::binary);
    CORTEX_ASSIGN_OR_RETURN(digest_, read_entry(archive, [&](std::span<const std::byte> bytes) {
                              out.write(
                                  reinterpret_cast<const char*>(bytes.data()),
                                  static_cast<std::streamsize>(bytes.size())
                              );
                              return out ? Status()
                                         : resource_exhausted(
                                               "'" + path.string() + "' cannot be written"
                                           );
                            }));
    out.close();
    return out ? Status() : resource_exhausted("'" + path.string() + "' cannot be written");
  }

  Status unpack_blob(cli::ArchiveReader& archive, const cli::ArchiveEntry& entry) {
    const std::string name = entry.name.substr(entry.name.rfind('/') + 1);
    CORTEX_ASSIGN_OR_RETURN(const auto writer, blobs_->begin());
    CORTEX_ASSIGN_OR_RETURN(
        const std::string digest,
        read_entry(archive, [&](std::span<const std::byte> bytes) { return writer->write(bytes); })
    );
    if (digest != name) return broken("'" + entry.name + "' is not what its name says");
    ++count_;
    return writer->finish().status();
  }

  Status check_manifest() {
    boost::system::error_code error;
    const json::value manifest = json::parse(manifest_, error);
    if (error || !manifest.is_object()) return broken("it is cut off: it ends without a manifest");
    const auto text_at = [&](std::string_view pointer) {
      const json::value* found = manifest.find_pointer({pointer.data(), pointer.size()}, error);
      return found == nullptr ? std::string() : json::serialize(*found);
    };
    if (text_at("/format") != std::to_string(cli::kBackupFormat)) {
      return failed_precondition("the backup has a form that this program does not know");
    }
    if (text_at("/database/sha256") != '"' + digest_ + '"') {
      return broken("the database is not what was copied");
    }
    with_artifacts_ = !text_at("/artifacts").empty();
    if (with_artifacts_ && text_at("/artifacts/count") != std::to_string(count_)) {
      return broken("artifacts are missing");
    }
    return {};
  }

  Status move(const char* name) {
    std::error_code error;
    fs::rename(folder_ / name, data_ / name, error);
    return error ? disk_error(data_ / name, error) : Status();
  }

  const fs::path data_;
  const fs::path folder_;
  std::unique_ptr<store::ArtifactStore> blobs_;
  std::string manifest_;
  std::string digest_;
  std::uint64_t count_ = 0;
  bool with_artifacts_ = false;
  std::size_t missing_ = 0;
};

Status check_empty(const fs::path& data) {
  for (const char* name : {"cortex.db", "artifacts"}) {
    std::error_code error;
    if (!fs::exists(data / name, error)) continue;
    return failed_precondition(
        "'" + (data / name).string() + "' is there already: move it away, or name another folder"
    );
  }
  return {};
}

}  // namespace

Result<std::string> restore(const std::string& file, const std::string& data) {
  CORTEX_ASSIGN_OR_RETURN(cli::ArchiveReader archive, cli::ArchiveReader::open(file));
  std::error_code error;
  fs::create_directories(data, error);
  if (error) return disk_error(data, error);
  CORTEX_ASSIGN_OR_RETURN(const DataLock lock, DataLock::take(data, DataLock::Kind::kAlone));
  CORTEX_RETURN_IF_ERROR(check_empty(data));
  Stage stage(data);
  CORTEX_RETURN_IF_ERROR(stage.prepare());
  CORTEX_RETURN_IF_ERROR(stage.unpack(archive));
  CORTEX_RETURN_IF_ERROR(stage.check_database());
  CORTEX_RETURN_IF_ERROR(stage.move_into_place());
  return stage.report();
}

}  // namespace cortex::app
