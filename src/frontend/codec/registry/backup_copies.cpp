// SPDX-License-Identifier: Apache-2.0
#include "frontend/codec/registry/backup_copies.h"

#include <fstream>
#include <span>
#include <system_error>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "store/artifact_digest.h"

namespace cortex::frontend::registry_api {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kChunkBytes = 1 << 20;

Status unreadable() { return unavailable("the copy of the database cannot be read"); }

Result<std::string> digest_of(const fs::path& file) {
  std::ifstream stream(file, std::ios::binary);
  store::Digest digest;
  std::vector<char> chunk(kChunkBytes);
  while (stream) {
    stream.read(chunk.data(), static_cast<std::streamsize>(chunk.size()));
    const auto length = static_cast<std::size_t>(stream.gcount());
    digest.add(std::as_bytes(std::span<const char>(chunk.data(), length)));
  }
  if (!stream.eof()) return unreadable();
  return digest.finish();
}

}  // namespace

BackupCopies::BackupCopies(store::Store& store, fs::path folder)
    : store_(store), folder_(std::move(folder)) {
  std::error_code ignored;
  fs::remove_all(folder_, ignored);
}

fs::path BackupCopies::path_of(const std::string& id) const { return folder_ / (id + ".db"); }

Status BackupCopies::check(const std::string& id) const {
  if (!current_.empty() && id == current_) return {};
  return not_found("there is no such copy; a newer one takes the place of an older one");
}

Result<BackupCopies::Copy> BackupCopies::make() {
  std::error_code error;
  if (!current_.empty()) fs::remove(path_of(current_), error);
  current_.clear();
  fs::create_directories(folder_, error);
  if (error) return unavailable("the folder of the copy cannot be made: " + error.message());
  Copy copy;
  copy.id = std::to_string(unix_milliseconds()) + "-" + std::to_string(++made_);
  const fs::path path = path_of(copy.id);
  CORTEX_RETURN_IF_ERROR(store_.backup(path));
  current_ = copy.id;
  CORTEX_ASSIGN_OR_RETURN(copy.digest, digest_of(path));
  copy.size = fs::file_size(path, error);
  if (error) return unreadable();
  return copy;
}

Result<std::string> BackupCopies::read(
    const std::string& id, std::uint64_t offset, std::size_t limit
) {
  CORTEX_RETURN_IF_ERROR(check(id));
  std::ifstream stream(path_of(id), std::ios::binary);
  stream.seekg(static_cast<std::streamoff>(offset));
  std::string out(limit, '\0');
  stream.read(out.data(), static_cast<std::streamsize>(limit));
  if (!stream && !stream.eof()) return unreadable();
  out.resize(static_cast<std::size_t>(stream.gcount()));
  return out;
}

Status BackupCopies::remove(const std::string& id) {
  CORTEX_RETURN_IF_ERROR(check(id));
  std::error_code error;
  fs::remove(path_of(id), error);
  current_.clear();
  return error ? unavailable("the copy cannot be removed: " + error.message()) : Status();
}

}  // namespace cortex::frontend::registry_api
