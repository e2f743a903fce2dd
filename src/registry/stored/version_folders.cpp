// SPDX-License-Identifier: Apache-2.0
#include "registry/stored/version_folders.h"

#include <array>
#include <charconv>
#include <fstream>
#include <optional>
#include <system_error>
#include <utility>
#include <vector>

#include "registry/model_repository.h"
#include "registry/stored/mlmodel.h"
#include "request/model_reference.h"
#include "store/artifact_digest.h"

namespace cortex::registry {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kIncoming = ".incoming";
constexpr std::size_t kChunkBytes = 1 << 18;

Status disk_error(std::string_view what, const std::error_code& error) {
  const std::string text = std::string(what) + ": " + error.message();
  return error == std::errc::no_space_on_device ? resource_exhausted(text) : unavailable(text);
}

Status make_folders(const fs::path& folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  return error ? disk_error("a model folder cannot be made", error) : Status();
}

Status clear_away(const fs::path& path) {
  std::error_code error;
  fs::remove_all(path, error);
  return error ? disk_error("a model folder cannot be removed", error) : Status();
}

Status move_folder(const fs::path& from, const fs::path& to) {
  std::error_code error;
  fs::rename(from, to, error);
  return error ? disk_error("a model folder cannot be put in its place", error) : Status();
}

Status write_text(const fs::path& file, const std::string& text) {
  std::ofstream stream(file, std::ios::binary);
  stream << text;
  stream.close();
  return stream ? Status() : resource_exhausted("a manifest cannot be written");
}

std::string read_text(const fs::path& file) {
  std::ifstream stream(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

Result<std::string> digest_of(const fs::path& file) {
  std::ifstream stream(file, std::ios::binary);
  if (!stream) return unavailable("a file that was just made cannot be read");
  store::Digest digest;
  std::vector<char> chunk(kChunkBytes);
  while (stream) {
    stream.read(chunk.data(), static_cast<std::streamsize>(chunk.size()));
    const auto length = static_cast<std::size_t>(stream.gcount());
    digest.add(std::as_bytes(std::span<const char>(chunk.data(), length)));
  }
  if (stream.bad()) return unavailable("a file that was just made cannot be read");
  return digest.finish();
}

Status check_file(const SourceFile& expected, const fs::path& file) {
  std::error_code error;
  const std::uintmax_t size = fs::file_size(file, error);
  if (error) return disk_error("'" + expected.path + "' is not there", error);
  if (size == expected.size) {
    CORTEX_ASSIGN_OR_RETURN(const std::string digest, digest_of(file));
    if (digest == expected.digest) return {};
  }
  return Status(Code::kDataLoss, "'" + expected.path + "' is not what its digest says");
}

// What a version's files become; a good one has one manifest.
Result<std::vector<PlacedFile>> place_files(Source& source, const std::string& origin) {
  CORTEX_ASSIGN_OR_RETURN(const auto files, source.files(origin));
  for (const SourceFile& file : files) {
    if (file.path != "MLmodel") continue;
    CORTEX_ASSIGN_OR_RETURN(const std::string text, source.read(file, kMlModelBytesMax));
    const auto model = parse_mlmodel(text);
    if (!model.ok()) return model.status().with_prefix("MLmodel: ");
    return place_mlflow_files(*model, files);
  }
  return place_plain_files(files);
}

// Complete by names and sizes: the bytes were checked when it was made, and nobody writes to them.
bool stands(
    const fs::path& folder, std::span<const PlacedFile> files, const std::string& manifest
) {
  if (read_text(folder / kManifestFile) != manifest) return false;
  for (const PlacedFile& placed : files) {
    std::error_code error;
    if (fs::file_size(folder / placed.place, error) != placed.file.size || error) return false;
  }
  return true;
}

std::optional<std::int64_t> number_of(const std::string& name) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
  if (error != std::errc() || end != name.data() + name.size() || number <= 0) return std::nullopt;
  return number;
}

std::set<std::int64_t> versions_in(const fs::path& folder) {
  std::set<std::int64_t> out;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    if (const auto number = number_of(it->path().filename().string())) out.insert(*number);
  }
  return out;
}

}  // namespace

bool is_folder_name(const std::string& model) {
  return is_model_name(model) && model.find('/') == std::string::npos;
}

Status VersionFolders::prepare() const {
  CORTEX_RETURN_IF_ERROR(clear_away(root_ / kIncoming));
  return make_folders(root_ / kIncoming);
}

Result<std::map<std::string, std::set<std::int64_t>>> VersionFolders::present() const {
  std::map<std::string, std::set<std::int64_t>> out;
  std::error_code error;
  for (fs::directory_iterator it(root_, error), end; !error && it != end; it.increment(error)) {
    const std::string name = it->path().filename().string();
    if (is_folder_name(name)) out[name] = versions_in(it->path());
  }
  if (error) return disk_error("the folder of stored models cannot be read", error);
  return out;
}

Status VersionFolders::make(Source& source, const std::string& model, const SourceVersion& version)
    const {
  CHECK(is_folder_name(model), "only names that can be folders have folders");
  CORTEX_ASSIGN_OR_RETURN(const auto files, place_files(source, version.origin));
  const std::string manifest = manifest_text(version.origin, files);
  const std::string number = std::to_string(version.number);
  const fs::path place = root_ / model / number;
  if (stands(place, files, manifest)) return {};
  const fs::path incoming = root_ / kIncoming / "new";
  Status status = build(source, files, incoming);
  if (status.ok()) status = write_text(incoming / kManifestFile, manifest);
  if (status.ok()) status = make_folders(place.parent_path());
  // Other bytes under the same number: that of a model that was deleted and made anew.
  const fs::path old = root_ / kIncoming / "old";
  std::error_code ignored;
  if (status.ok()) {
    status = locks_.change(place, patience_, [&] {
      if (fs::exists(place, ignored)) CORTEX_RETURN_IF_ERROR(move_folder(place, old));
      return move_folder(incoming, place);
    });
  }
  fs::remove_all(incoming, ignored);
  fs::remove_all(old, ignored);
  return status;
}

Status VersionFolders::build(
    Source& source, std::span<const PlacedFile> files, const fs::path& folder
) const {
  CORTEX_RETURN_IF_ERROR(clear_away(folder));
  CORTEX_RETURN_IF_ERROR(make_folders(folder));
  for (const PlacedFile& placed : files) {
    const fs::path to = folder / placed.place;
    CORTEX_RETURN_IF_ERROR(make_folders(to.parent_path()));
    CORTEX_RETURN_IF_ERROR(source.fetch(placed.file, to));
    CORTEX_RETURN_IF_ERROR(check_file(placed.file, to));
  }
  return {};
}

Status VersionFolders::remove(const std::string& model, std::int64_t version) const {
  CHECK(is_folder_name(model), "only names that can be folders have folders");
  const fs::path folder = root_ / model;
  const fs::path place = folder / std::to_string(version);
  // Out of the way first: to remove its files one by one takes longer than readers should wait.
  const fs::path old = root_ / kIncoming / "old";
  CORTEX_RETURN_IF_ERROR(clear_away(old));
  CORTEX_RETURN_IF_ERROR(locks_.change(place, patience_, [&] {
    std::error_code error;
    fs::rename(place, old, error);
    const bool gone = error == std::errc::no_such_file_or_directory;
    return error && !gone ? disk_error("a model folder cannot be removed", error) : Status();
  }));
  std::error_code not_empty;
  fs::remove(folder, not_empty);
  return clear_away(old);
}

}  // namespace cortex::registry
