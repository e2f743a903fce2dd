// SPDX-License-Identifier: Apache-2.0
#include "store/artifact_s3.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <set>
#include <utility>

#include "base/log.h"
#include "store/artifact_digest.h"
#include "store/artifact_file.h"
#include "store/detail/random_name.h"
#include "store/detail/s3_objects.h"

namespace cortex::store {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kPartBytesLeast = 5ull << 20;
constexpr std::size_t kPartsMax = 10'000;
// Half of what sweep() is asked for at the least: no upload is swept that may still be named.
constexpr Duration kUploadTime = std::chrono::hours(12);
// Older objects of a digest go when a new one is there. Those of uploads that run side by side stay
// until the next one: of two that remove each other, nothing would be left.
constexpr Duration kSideBySide = std::chrono::minutes(10);
// A reader asks for this much at first, and for twice as much as long as it reads on.
constexpr std::uint64_t kFirstWindow = 256ull << 10;
constexpr std::uint64_t kLargestWindow = 8ull << 20;

std::string_view text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

class S3Writer final : public BlobWriter {
 public:
  S3Writer(const S3Objects& objects, std::size_t part_bytes)
      : objects_(objects),
        part_bytes_(part_bytes),
        id_(random_name()),
        key_(objects.names().parts_key(id_)),
        late_(steady_clock().now() + kUploadTime) {}
  ~S3Writer() override { discard(); }

  Status write(std::span<const std::byte> bytes) override {
    digest_.add(bytes);
    size_ += bytes.size();
    while (!bytes.empty()) {
      if (part_.size() == part_bytes_) CORTEX_RETURN_IF_ERROR(put_part());
      const std::size_t room = std::min(bytes.size(), part_bytes_ - part_.size());
      part_.append(text_of(bytes.first(room)));
      bytes = bytes.subspan(room);
    }
    return {};
  }

  Result<Blob> finish() override {
    const S3Name name{digest_.finish(), size_, id_, !upload_.empty()};
    if (name.in_parts) CORTEX_RETURN_IF_ERROR(complete());
    if (steady_clock().now() > late_) return deadline_exceeded("the upload took too long");
    named_ = true;
    CORTEX_RETURN_IF_ERROR(objects_.put(
        objects_.names().key(name), name.in_parts ? std::string_view() : std::string_view(part_)
    ));
    objects_.calls().count_upload();
    remove_older(name);
    return Blob{name.digest, size_};
  }

 private:
  Status put_part() {
    if (etags_.size() == kPartsMax) {
      return resource_exhausted("a blob is longer than 10000 parts of store.artifacts.part_bytes");
    }
    if (upload_.empty()) {
      CORTEX_ASSIGN_OR_RETURN(upload_, objects_.begin_upload(key_));
    }
    CORTEX_ASSIGN_OR_RETURN(
        std::string etag, objects_.put_part(key_, upload_, etags_.size() + 1, part_)
    );
    etags_.push_back(std::move(etag));
    part_.clear();
    return {};
  }

  Status complete() {
    CORTEX_RETURN_IF_ERROR(put_part());
    return objects_.complete_upload(key_, upload_, etags_);
  }

  // Equal bytes are kept once. What fails here is done by the next one, or by remove().
  void remove_older(const S3Name& own) const {
    const auto found = objects_.find(own.digest);
    if (!found.ok()) return;
    const auto mine = std::find_if(found->begin(), found->end(), [&](const S3Found& one) {
      return one.name.id == own.id;
    });
    if (mine == found->end()) return;
    for (const S3Found& one : *found) {
      if (one.age < mine->age + kSideBySide) continue;
      if (!objects_.remove(objects_.names().key(one.name)).ok()) continue;
      if (one.name.in_parts) (void)objects_.remove(objects_.names().bytes_key(one.name));
    }
  }

  // Once the name may be there, nothing of it may go: without a row, remove_strays takes it.
  void discard() const {
    if (upload_.empty() || named_) return;
    const Status aborted = objects_.abort_upload(key_, upload_);
    const Status removed = objects_.remove(key_);
    if (aborted.ok() && removed.ok()) return;
    log::info("an upload is left to the sweep", {{"key", key_}, {"error", aborted.to_string()}});
  }

  const S3Objects& objects_;
  const std::size_t part_bytes_;
  const std::string id_;
  const std::string key_;  // of the bytes, when there is more than a part
  const TimePoint late_;
  Digest digest_;
  std::uint64_t size_ = 0;
  std::string part_;
  std::string upload_;  // empty: none was begun
  std::vector<std::string> etags_;
  bool named_ = false;
};

class S3Reader final : public BlobReader {
 public:
  S3Reader(const S3Objects& objects, S3Name name) : objects_(objects), name_(std::move(name)) {}

  [[nodiscard]] std::uint64_t size() const override { return name_.size; }

  Result<std::size_t> read(std::uint64_t offset, std::span<std::byte> out) override {
    std::size_t done = 0;
    while (done < out.size() && offset + done < name_.size) {
      if (!holds(offset + done)) CORTEX_RETURN_IF_ERROR(load(offset + done, out.size() - done));
      const std::uint64_t from = offset + done - begin_;
      const std::size_t size = std::min<std::uint64_t>(out.size() - done, window_.size() - from);
      std::memcpy(out.data() + done, window_.data() + from, size);
      done += size;
    }
    return done;
  }

 private:
  [[nodiscard]] bool holds(std::uint64_t offset) const {
    return offset >= begin_ && offset < begin_ + window_.size();
  }

  Status load(std::uint64_t offset, std::uint64_t wanted) {
    const bool reads_on = offset == begin_ + window_.size() && !window_.empty();
    ahead_ = reads_on ? std::min(2 * ahead_, kLargestWindow) : kFirstWindow;
    begin_ = offset;
    window_.clear();
    const std::uint64_t size = std::min(std::max(ahead_, wanted), kLargestWindow);
    const std::uint64_t end = std::min(name_.size, offset + size);
    window_.reserve(end - offset);
    return objects_.fetch(name_, offset, end, [this](std::span<const std::byte> bytes) -> Status {
      window_.insert(window_.end(), bytes.begin(), bytes.end());
      return {};
    });
  }

  const S3Objects& objects_;
  S3Name name_;
  std::vector<std::byte> window_;
  std::uint64_t begin_ = 0;  // of the window, in the blob
  std::uint64_t ahead_ = kFirstWindow;
};

class ArtifactS3 final : public ArtifactStore {
 public:
  ArtifactS3(std::unique_ptr<S3Calls> calls, const S3Options& options)
      : calls_(std::move(calls)),
        objects_(*calls_, S3Names(options.prefix)),
        part_bytes_(options.part_bytes) {}

  Result<std::unique_ptr<BlobWriter>> begin() override {
    return std::unique_ptr<BlobWriter>(std::make_unique<S3Writer>(objects_, part_bytes_));
  }

  Result<std::unique_ptr<BlobReader>> open(const std::string& digest) override {
    CORTEX_ASSIGN_OR_RETURN(S3Name name, youngest(digest));
    calls_->count_download();
    return std::unique_ptr<BlobReader>(std::make_unique<S3Reader>(objects_, std::move(name)));
  }

  Result<bool> contains(const std::string& digest) override {
    if (!is_digest(digest)) return false;
    CORTEX_ASSIGN_OR_RETURN(const auto found, objects_.find(digest));
    return !found.empty();
  }

  Result<bool> remove(const std::string& digest, Duration age) override;
  Result<std::vector<StoredBlob>> list(std::string_view after, std::size_t limit) override;
  Result<std::uint64_t> sweep(Duration age) override;
  Result<Blob> join(std::span<const Blob> parts) override;
  Status materialise(const std::string& digest, const fs::path& to) override;
  Result<std::string> presign(const Blob& blob, std::chrono::seconds lifetime) override;
  [[nodiscard]] std::optional<ArtifactTraffic> traffic() const override {
    return calls_->traffic();
  }

 private:
  Result<S3Name> youngest(const std::string& digest) const {
    if (!is_digest(digest)) return not_found("no such blob");
    CORTEX_ASSIGN_OR_RETURN(auto found, objects_.find(digest));
    if (found.empty()) return not_found("no such blob");
    return std::move(found.front().name);
  }

  // Gives the whole blob to `sink` and compares it with its digest.
  Status fetch_checked(S3Name name, const S3Sink& sink) const;
  Status fetch_file(S3Name name, const File& file) const;
  Status abort_dead_uploads(Duration age) const;
  Result<std::uint64_t> remove_nameless(Duration age) const;
  Result<std::set<std::string>> ids_in_parts() const;

  const std::unique_ptr<S3Calls> calls_;
  const S3Objects objects_;
  const std::size_t part_bytes_;
};

Result<bool> ArtifactS3::remove(const std::string& digest, Duration age) {
  if (!is_digest(digest)) return true;
  CORTEX_ASSIGN_OR_RETURN(const auto found, objects_.find(digest));
  if (!found.empty() && found.front().age < age) return false;
  for (const S3Found& one : found) {
    CORTEX_RETURN_IF_ERROR(objects_.remove(objects_.names().key(one.name)));
    // Without it the bytes are nobody's: the sweep takes them if this fails.
    if (one.name.in_parts) (void)objects_.remove(objects_.names().bytes_key(one.name));
  }
  return true;
}

// One blob per digest: with the age of its youngest name.
Result<std::vector<StoredBlob>> ArtifactS3::list(std::string_view after, std::size_t limit) {
  std::vector<StoredBlob> out;
  const std::string start = after.empty() ? std::string() : objects_.names().behind(after);
  std::string token;
  do {
    CORTEX_ASSIGN_OR_RETURN(
        const S3Listing page,
        objects_.list(objects_.names().names(), token.empty() ? start : std::string(), token)
    );
    for (const S3Item& item : page.items) {
      const auto name = objects_.names().read(item.key);
      if (!name) continue;
      if (!out.empty() && out.back().blob.digest == name->digest) {
        out.back().age = std::min(out.back().age, page.age(item));
        continue;
      }
      if (out.size() == limit) return out;
      out.push_back({{name->digest, name->size}, page.age(item)});
    }
    token = page.more ? page.more->first : std::string();
  } while (!token.empty());
  return out;
}

Result<std::uint64_t> ArtifactS3::sweep(Duration age) {
  CORTEX_RETURN_IF_ERROR(abort_dead_uploads(age));
  return remove_nameless(age);
}

Status ArtifactS3::abort_dead_uploads(Duration age) const {
  std::pair<std::string, std::string> from;
  do {
    CORTEX_ASSIGN_OR_RETURN(
        const S3Listing page, objects_.list_uploads(objects_.names().parts(), from)
    );
    for (const S3Item& item : page.items) {
      if (page.age(item) < age || !item.key.starts_with(objects_.names().parts())) continue;
      CORTEX_RETURN_IF_ERROR(objects_.abort_upload(item.key, item.upload));
      log::info("removed what a dead upload left", {{"key", item.key}});
    }
    from = page.more.value_or(std::pair<std::string, std::string>());
  } while (!from.first.empty());
  return {};
}

// Bytes are written before their name and removed after it. The names are listed last: an upload
// that names old bytes meanwhile is over its time.
Result<std::uint64_t> ArtifactS3::remove_nameless(Duration age) const {
  std::vector<S3Item> old;
  std::string token;
  do {
    CORTEX_ASSIGN_OR_RETURN(
        const S3Listing page, objects_.list(objects_.names().parts(), {}, token)
    );
    for (const S3Item& item : page.items) {
      if (page.age(item) >= age) old.push_back(item);
    }
    token = page.more ? page.more->first : std::string();
  } while (!token.empty());
  if (old.empty()) return std::uint64_t{0};
  CORTEX_ASSIGN_OR_RETURN(const auto named, ids_in_parts());
  std::uint64_t freed = 0;
  for (const S3Item& item : old) {
    if (named.contains(item.key.substr(objects_.names().parts().size()))) continue;
    CORTEX_RETURN_IF_ERROR(objects_.remove(item.key));
    log::info("removed what a dead upload left", {{"key", item.key}});
    freed += item.size;
  }
  return freed;
}

Result<std::set<std::string>> ArtifactS3::ids_in_parts() const {
  std::set<std::string> out;
  std::string token;
  do {
    CORTEX_ASSIGN_OR_RETURN(
        const S3Listing page, objects_.list(objects_.names().names(), {}, token)
    );
    for (const S3Item& item : page.items) {
      const auto name = objects_.names().read(item.key);
      if (name && name->in_parts) out.insert(name->id);
    }
    token = page.more ? page.more->first : std::string();
  } while (!token.empty());
  return out;
}

Status ArtifactS3::fetch_checked(S3Name name, const S3Sink& sink) const {
  Digest digest;
  const std::string expected = name.digest;
  calls_->count_download();
  CORTEX_RETURN_IF_ERROR(objects_.fetch(
      name,
      0,
      name.size,
      [&](std::span<const std::byte> bytes) -> Status {
        digest.add(bytes);
        return sink(bytes);
      }
  ));
  if (digest.finish() == expected) return {};
  return {Code::kDataLoss, "a blob is not what its digest says", {expected}};
}

Result<Blob> ArtifactS3::join(std::span<const Blob> parts) {
  S3Writer writer(objects_, part_bytes_);
  for (const Blob& part : parts) {
    CORTEX_ASSIGN_OR_RETURN(S3Name name, youngest(part.digest));
    if (name.size != part.size) {
      return Status(Code::kDataLoss, "a blob is not what its digest says", {part.digest});
    }
    CORTEX_RETURN_IF_ERROR(fetch_checked(std::move(name), [&](std::span<const std::byte> bytes) {
      return writer.write(bytes);
    }));
  }
  return writer.finish();
}

// A file without a name until it is whole, so that a kill leaves nothing of it; where the file
// system has no such files, a failure alone leaves nothing.
Status ArtifactS3::materialise(const std::string& digest, const fs::path& to) {
  CORTEX_ASSIGN_OR_RETURN(S3Name name, youngest(digest));
  const fs::path folder = to.has_parent_path() ? to.parent_path() : fs::path(".");
  const File file(::open(folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0444));
  if (file.is_open()) {
    CORTEX_RETURN_IF_ERROR(fetch_file(std::move(name), file));
    const std::string own = "/proc/self/fd/" + std::to_string(file.get());
    if (::linkat(AT_FDCWD, own.c_str(), AT_FDCWD, to.c_str(), AT_SYMLINK_FOLLOW) == 0) return {};
    return disk_error("link", errno);
  }
  if (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL) {
    return disk_error("make a file", errno);
  }
  const File named(::open(to.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0444));
  if (!named.is_open()) return disk_error("make a file", errno);
  Status status = fetch_file(std::move(name), named);
  if (!status.ok()) ::unlink(to.c_str());
  return status;
}

Status ArtifactS3::fetch_file(S3Name name, const File& file) const {
  const DiskCalls disk;
  CORTEX_RETURN_IF_ERROR(fetch_checked(std::move(name), [&](std::span<const std::byte> bytes) {
    return write_all(disk, file, bytes);
  }));
  if (disk.sync(file.get()) != 0) return disk_error("sync", errno);
  return {};
}

Result<std::string> ArtifactS3::presign(const Blob& blob, std::chrono::seconds lifetime) {
  CORTEX_ASSIGN_OR_RETURN(const S3Name name, youngest(blob.digest));
  S3Target target;
  target.object = objects_.names().bytes_key(name);
  return calls_->bucket().sign(target, lifetime);
}

Status check_options(const S3Options& options) {
  if (options.bucket.empty()) return invalid_argument("the bucket has no name");
  if (options.credentials.key.empty() || options.credentials.secret.empty()) {
    return invalid_argument("there are no credentials for the bucket '" + options.bucket + "'");
  }
  if (options.part_bytes >= kPartBytesLeast) return {};
  return invalid_argument("a part of an upload has at least 5 MiB");
}

}  // namespace

Result<std::unique_ptr<ArtifactStore>> open_artifact_s3(const S3Options& options) {
  CORTEX_RETURN_IF_ERROR(check_options(options));
  CORTEX_ASSIGN_OR_RETURN(auto calls, S3Calls::make(options));
  auto store = std::make_unique<ArtifactS3>(std::move(calls), options);
  const auto listed = store->list({}, 1);
  if (!listed.ok()) return listed.status().with_prefix("the bucket '" + options.bucket + "': ");
  return std::unique_ptr<ArtifactStore>(std::move(store));
}

}  // namespace cortex::store
