// SPDX-License-Identifier: Apache-2.0
// How an upload becomes a blob, so that a kill or a power cut at any point leaves a whole blob or
// none: a new file in incoming/, its bytes synced, linked to its name below sha256/, unlinked in
// incoming/, the folder of the name synced. Linking and removing exclude each other, over threads
// and processes, by a lock on <folder>/lock: a blob that exists already is made young under it.
#include "store/artifact_folder.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/time.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <utility>

#include "base/log.h"
#include "store/artifact_digest.h"
#include "store/detail/random_name.h"

namespace cortex::store {
namespace {

namespace fs = std::filesystem;

// Dirty pages are sent to the disk while the upload goes on, so that the sync at its end is short.
constexpr std::uint64_t kWriteBackBytes = 8 * 1024 * 1024;
constexpr std::size_t kWindowBytes = 1024 * 1024;
constexpr mode_t kBlobMode = 0444;

// Of blobs whose digests begin with the same two digits.
constexpr std::size_t kShelves = 256;

struct Folder {
  fs::path root;
  fs::path incoming;
  fs::path blobs;
  DiskCalls calls;
  // Shelves whose names survive a power cut.
  std::unique_ptr<std::array<std::atomic<bool>, kShelves>> durable =
      std::make_unique<std::array<std::atomic<bool>, kShelves>>();

  [[nodiscard]] fs::path shelf(const std::string& digest) const {
    return blobs / digest.substr(0, 2);
  }
  [[nodiscard]] fs::path place(const std::string& digest) const { return shelf(digest) / digest; }
};

// Held while names below sha256/ come and go; ends with its holder.
Result<File> lock_folder(const Folder& folder) {
  File file(::open((folder.root / "lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
  if (!file.is_open()) return disk_error("open the lock", errno);
  while (::flock(file.get(), LOCK_EX) != 0) {
    if (errno != EINTR) return disk_error("lock", errno);
  }
  return file;
}

// A new file in incoming/. Its lock tells other processes that its upload lives; one of them may
// have taken it for a dead one before it was locked.
Result<std::pair<File, fs::path>> make_incoming(const Folder& folder) {
  for (int attempt = 0; attempt < 16; ++attempt) {
    fs::path path = folder.incoming / random_name();
    File file(::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, kBlobMode));
    if (!file.is_open()) return disk_error("make a file in incoming", errno);
    if (::flock(file.get(), LOCK_EX | LOCK_NB) != 0) continue;
    struct stat info{};
    if (::fstat(file.get(), &info) != 0) return disk_error("stat", errno);
    if (info.st_nlink > 0) return std::pair(std::move(file), std::move(path));
  }
  return unavailable("the artifact store is being cleaned");
}

// The number of bytes.
std::uint64_t remove_dead_uploads(const fs::path& incoming) {
  std::uint64_t freed = 0;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(incoming, error)) {
    const File file(::open(entry.path().c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
    if (!file.is_open() || ::flock(file.get(), LOCK_EX | LOCK_NB) != 0) continue;
    struct stat info{};
    if (::fstat(file.get(), &info) != 0 || ::unlink(entry.path().c_str()) != 0) continue;
    log::info("removed what a dead upload left", {{"file", entry.path().string()}});
    freed += static_cast<std::uint64_t>(info.st_size);
  }
  return freed;
}

// Makes a missing folder and its name durable.
Status ensure_folder(const DiskCalls& calls, const fs::path& folder) {
  if (::mkdir(folder.c_str(), 0755) == 0) return sync_folder(calls, folder.parent_path());
  if (errno == EEXIST) return {};
  return disk_error("make a folder", errno);
}

// The same for the shelf of a blob. One that is there is no less in need of it: whoever made it may
// not have come to the sync, or be on the way to it.
Status ensure_shelf(const Folder& folder, const std::string& digest) {
  std::atomic<bool>& durable = folder.durable->at(std::stoul(digest.substr(0, 2), nullptr, 16));
  if (::mkdir(folder.shelf(digest).c_str(), 0755) == 0) {
    durable = false;
  } else if (errno != EEXIST) {
    return disk_error("make a folder", errno);
  }
  if (durable) return {};
  CORTEX_RETURN_IF_ERROR(sync_folder(folder.calls, folder.blobs));
  durable = true;
  return {};
}

// The time of the last change of the inode, since that of the content is what watchers of files
// linked to a blob look at.
Status make_young(const fs::path& place) {
  if (::chmod(place.c_str(), kBlobMode) == 0) return {};
  return disk_error("touch", errno);
}

Duration age_of(const struct stat& info) {
  const auto written =
      std::chrono::seconds(info.st_ctim.tv_sec) + std::chrono::nanoseconds(info.st_ctim.tv_nsec);
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::max(Duration::zero(), std::chrono::duration_cast<Duration>(now - written));
}

class FolderWriter final : public BlobWriter {
 public:
  FolderWriter(const Folder& folder, File file, fs::path path)
      : folder_(folder), file_(std::move(file)), path_(std::move(path)) {}
  ~FolderWriter() override { discard(); }

  Status write(std::span<const std::byte> bytes) override {
    digest_.add(bytes);
    CORTEX_RETURN_IF_ERROR(write_all(folder_.calls, file_, bytes));
    size_ += bytes.size();
    start_write_back();
    return {};
  }

  // The same for bytes of another blob, which become the digest's too.
  Status append(const File& part, const Blob& expected) {
    CORTEX_RETURN_IF_ERROR(add_digest(part, expected));
    CORTEX_RETURN_IF_ERROR(append_file(folder_.calls, part, file_));
    size_ += expected.size;
    start_write_back();
    return {};
  }

  Result<Blob> finish() override {
    if (folder_.calls.sync(file_.get()) != 0) return disk_error("sync", errno);
    Blob blob{digest_.finish(), size_};
    CORTEX_RETURN_IF_ERROR(ensure_shelf(folder_, blob.digest));
    CORTEX_RETURN_IF_ERROR(publish(folder_.place(blob.digest)));
    discard();
    // Also for a blob that was there: whoever put it there may not have come this far.
    CORTEX_RETURN_IF_ERROR(sync_folder(folder_.calls, folder_.shelf(blob.digest)));
    return blob;
  }

 private:
  Status publish(const fs::path& place) {
    CORTEX_ASSIGN_OR_RETURN(const File lock, lock_folder(folder_));
    if (folder_.calls.link(path_.c_str(), place.c_str()) == 0) return {};
    if (errno != EEXIST) return disk_error("link", errno);
    return make_young(place);
  }

  Status add_digest(const File& part, const Blob& expected) {
    std::vector<std::byte> window(std::min<std::uint64_t>(kWindowBytes, expected.size + 1));
    Digest own;
    std::uint64_t offset = 0;
    while (true) {
      CORTEX_ASSIGN_OR_RETURN(const std::size_t size, read_at(part, offset, window));
      if (size == 0) break;
      own.add(std::span(window).first(size));
      digest_.add(std::span(window).first(size));
      offset += size;
    }
    if (own.finish() == expected.digest && offset == expected.size) return {};
    return {Code::kDataLoss, "a blob is not what its digest says", {expected.digest}};
  }

  void start_write_back() {
    if (size_ - written_back_ < kWriteBackBytes) return;
    // A hint: its result says nothing that the sync will not say.
    (void)::sync_file_range(
        file_.get(),
        static_cast<off_t>(written_back_),
        static_cast<off_t>(size_ - written_back_),
        SYNC_FILE_RANGE_WRITE
    );
    written_back_ = size_;
  }

  void discard() {
    if (!path_.empty()) ::unlink(path_.c_str());
    path_.clear();
  }

  const Folder& folder_;
  File file_;
  fs::path path_;  // in incoming/; empty when it is gone
  Digest digest_;
  std::uint64_t size_ = 0;
  std::uint64_t written_back_ = 0;
};

class FolderReader final : public BlobReader {
 public:
  FolderReader(File file, std::uint64_t size) : file_(std::move(file)), size_(size) {}

  [[nodiscard]] std::uint64_t size() const override { return size_; }
  Result<std::size_t> read(std::uint64_t offset, std::span<std::byte> out) override {
    return read_at(file_, offset, out);
  }

 private:
  const File file_;
  const std::uint64_t size_;
};

class ArtifactFolder final : public ArtifactStore {
 public:
  explicit ArtifactFolder(Folder folder) : folder_(std::move(folder)) {}

  Result<std::unique_ptr<BlobWriter>> begin() override {
    CORTEX_ASSIGN_OR_RETURN(auto writer, begin_writer());
    return std::unique_ptr<BlobWriter>(std::move(writer));
  }

  Result<std::unique_ptr<BlobReader>> open(const std::string& digest) override {
    CORTEX_ASSIGN_OR_RETURN(File file, open_file(digest));
    struct stat info{};
    if (::fstat(file.get(), &info) != 0) return disk_error("stat", errno);
    const auto size = static_cast<std::uint64_t>(info.st_size);
    return std::unique_ptr<BlobReader>(std::make_unique<FolderReader>(std::move(file), size));
  }

  Result<bool> contains(const std::string& digest) override {
    if (!is_digest(digest)) return false;
    if (::access(folder_.place(digest).c_str(), F_OK) == 0) return true;
    if (errno == ENOENT) return false;
    return disk_error("access", errno);
  }

  Result<bool> remove(const std::string& digest, Duration age) override;
  Result<std::vector<StoredBlob>> list(std::string_view after, std::size_t limit) override;
  // An upload of a living process has a lock.
  Result<std::uint64_t> sweep(Duration) override { return remove_dead_uploads(folder_.incoming); }
  Result<Blob> join(std::span<const Blob> parts) override;
  Status materialise(const std::string& digest, const fs::path& to) override;

 private:
  Result<std::unique_ptr<FolderWriter>> begin_writer() {
    CORTEX_ASSIGN_OR_RETURN(auto incoming, make_incoming(folder_));
    return std::make_unique<FolderWriter>(
        folder_, std::move(incoming.first), std::move(incoming.second)
    );
  }

  Result<File> open_file(const std::string& digest) const {
    if (!is_digest(digest)) return not_found("no such blob");
    File file(::open(folder_.place(digest).c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
    if (file.is_open()) return file;
    if (errno == ENOENT) return not_found("no such blob");
    return disk_error("open", errno);
  }

  Status copy_to(const std::string& digest, const fs::path& to) const;

  const Folder folder_;
};

Result<bool> ArtifactFolder::remove(const std::string& digest, Duration age) {
  if (!is_digest(digest)) return true;
  const fs::path place = folder_.place(digest);
  CORTEX_ASSIGN_OR_RETURN(const File lock, lock_folder(folder_));
  struct stat info{};
  if (::lstat(place.c_str(), &info) != 0) {
    if (errno == ENOENT) return true;
    return disk_error("stat", errno);
  }
  if (age_of(info) < age) return false;
  if (::unlink(place.c_str()) != 0 && errno != ENOENT) return disk_error("unlink", errno);
  return true;
}

// The digests of one shelf behind `after`, in order.
std::vector<std::string> digests_in(const fs::path& shelf, std::string_view after) {
  std::vector<std::string> names;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(shelf, error)) {
    std::string name = entry.path().filename().string();
    if (is_digest(name) && name > after) names.push_back(std::move(name));
  }
  std::sort(names.begin(), names.end());
  return names;
}

Result<std::vector<StoredBlob>> ArtifactFolder::list(std::string_view after, std::size_t limit) {
  std::vector<StoredBlob> out;
  const std::string first(after.substr(0, 2));
  for (std::size_t prefix = 0; prefix < kShelves; ++prefix) {
    std::array<char, 4> shelf{};
    std::snprintf(shelf.data(), shelf.size(), "%02hhx", static_cast<unsigned char>(prefix));
    if (shelf.data() < first) continue;
    for (std::string& name : digests_in(folder_.blobs / shelf.data(), after)) {
      if (out.size() == limit) return out;
      struct stat info{};
      // It may have been removed meanwhile.
      if (::lstat(folder_.place(name).c_str(), &info) != 0) continue;
      const auto size = static_cast<std::uint64_t>(info.st_size);
      out.push_back({{std::move(name), size}, age_of(info)});
    }
  }
  return out;
}

Result<Blob> ArtifactFolder::join(std::span<const Blob> parts) {
  CORTEX_ASSIGN_OR_RETURN(const auto writer, begin_writer());
  for (const Blob& part : parts) {
    CORTEX_ASSIGN_OR_RETURN(const File file, open_file(part.digest));
    CORTEX_RETURN_IF_ERROR(writer->append(file, part));
  }
  return writer->finish();
}

Status ArtifactFolder::materialise(const std::string& digest, const fs::path& to) {
  if (!is_digest(digest)) return not_found("no such blob");
  if (folder_.calls.link(folder_.place(digest).c_str(), to.c_str()) == 0) return {};
  switch (errno) {
    case EXDEV:
    case EPERM:
    case EMLINK:
    case EOPNOTSUPP:
      return copy_to(digest, to);
    case ENOENT: {
      CORTEX_ASSIGN_OR_RETURN(const bool there, contains(digest));
      return there ? not_found("no such folder") : not_found("no such blob");
    }
    default:
      return disk_error("link", errno);
  }
}

Status ArtifactFolder::copy_to(const std::string& digest, const fs::path& to) const {
  CORTEX_ASSIGN_OR_RETURN(const File from, open_file(digest));
  const File file(::open(to.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, kBlobMode));
  if (!file.is_open()) return disk_error("make the copy", errno);
  Status status = append_file(folder_.calls, from, file);
  if (status.ok() && folder_.calls.sync(file.get()) != 0) status = disk_error("sync", errno);
  if (!status.ok()) ::unlink(to.c_str());
  return status;
}

Status make_folders(const Folder& folder) {
  std::error_code error;
  fs::create_directories(folder.root, error);
  if (error) return disk_error("make the artifact folder", error.value());
  CORTEX_RETURN_IF_ERROR(ensure_folder(folder.calls, folder.incoming));
  CORTEX_RETURN_IF_ERROR(ensure_folder(folder.calls, folder.blobs));
  return sync_folder(folder.calls, folder.root);
}

}  // namespace

Result<std::unique_ptr<ArtifactStore>> open_artifact_folder(
    const fs::path& folder, const DiskCalls& calls
) {
  Folder made{
      .root = folder, .incoming = folder / "incoming", .blobs = folder / "sha256", .calls = calls
  };
  CORTEX_RETURN_IF_ERROR(make_folders(made));
  (void)remove_dead_uploads(made.incoming);
  return std::unique_ptr<ArtifactStore>(std::make_unique<ArtifactFolder>(std::move(made)));
}

Result<std::unique_ptr<ArtifactStore>> open_artifact_folder(const fs::path& folder) {
  return open_artifact_folder(folder, DiskCalls());
}

}  // namespace cortex::store
