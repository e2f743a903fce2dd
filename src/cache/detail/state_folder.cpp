// SPDX-License-Identifier: Apache-2.0
#include "cache/detail/state_folder.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

#include "base/large_pages.h"

namespace cortex::cache {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kStateBytesMax = std::uint64_t{1} << 36U;

class OpenFile {
 public:
  explicit OpenFile(int descriptor) : descriptor_(descriptor) {}
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;
  ~OpenFile() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  [[nodiscard]] int get() const { return descriptor_; }

 private:
  int descriptor_;
};

Status file_error(const char* what, int error) {
  const bool full = error == ENOSPC || error == EDQUOT || error == EFBIG;
  const Code code = full ? Code::kResourceExhausted : Code::kDataLoss;
  return {
      code,
      full ? "the disk of the prefix cache is full" : "the disk of the prefix cache fails",
      Detail{std::string(what) + ": " + std::system_category().message(error)}
  };
}

Status write_whole(
    const StateFolder::WriteCall& write, int file, std::span<const std::byte> bytes
) {
  while (!bytes.empty()) {
    const ssize_t written = write(file, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return file_error("write", written < 0 ? errno : ENOSPC);
    bytes = bytes.subspan(static_cast<std::size_t>(written));
  }
  return {};
}

// kDataLoss where the file ends before.
Status read_whole(int file, std::span<std::byte> out) {
  while (!out.empty()) {
    const ssize_t got = ::read(file, out.data(), out.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return file_error("read", errno);
    if (got == 0) return {Code::kDataLoss, "prefix file: cut off"};
    out = out.subspan(static_cast<std::size_t>(got));
  }
  return {};
}

// Reads the head and leaves the file at the state. The file is as long as the head says.
Result<PrefixFileHead> read_head(int file, std::uint64_t& file_bytes) {
  struct stat info{};
  if (file < 0 || ::fstat(file, &info) != 0) return file_error("open", errno);
  if (!S_ISREG(info.st_mode)) return Status(Code::kDataLoss, "prefix file: no file");
  file_bytes = static_cast<std::uint64_t>(info.st_size);
  std::vector<std::byte> bytes(kPrefixFileStart);
  CORTEX_RETURN_IF_ERROR(read_whole(file, bytes));
  CORTEX_ASSIGN_OR_RETURN(const std::size_t length, prefix_head_bytes(bytes));
  if (length > file_bytes) return Status(Code::kDataLoss, "prefix file: cut off");
  bytes.resize(length);
  CORTEX_RETURN_IF_ERROR(read_whole(file, std::span(bytes).subspan(kPrefixFileStart)));
  CORTEX_ASSIGN_OR_RETURN(PrefixFileHead head, decode_prefix_head(bytes));
  if (head.state_bytes > kStateBytesMax || head.state_bytes != file_bytes - length) {
    return Status(Code::kDataLoss, "prefix file: of another length");
  }
  return head;
}

}  // namespace

StateFolder::StateFolder(fs::path folder, WriteCall write)
    : folder_(std::move(folder)), write_(write ? std::move(write) : WriteCall(::write)) {}

StateFolder::~StateFolder() {
  if (lock_ >= 0) ::close(lock_);
}

Status StateFolder::open() {
  std::error_code error;
  fs::create_directories(folder_, error);
  if (error) return file_error("make the folder", error.value());
  const int lock = ::open((folder_ / "lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (lock < 0) return file_error("open the lock", errno);
  if (::flock(lock, LOCK_EX | LOCK_NB) != 0) {
    ::close(lock);
    return failed_precondition("another store has the folder");
  }
  lock_ = lock;
  return {};
}

StateFolder::Scan StateFolder::scan(const std::string& model) const {
  Scan out;
  std::error_code error;
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder_, error)) {
    names.push_back(entry.path().filename().string());
  }
  for (const std::string& name : names) {
    if (name.ends_with(".part")) remove(name);
    if (!name.ends_with(".prefix")) continue;
    Found found;
    const OpenFile file(::open((folder_ / name).c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
    if (file.get() < 0) continue;
    auto head = read_head(file.get(), found.bytes);
    const bool ours = head.ok() && head->key.model == model;
    if (!ours || name != prefix_file_name(head->key)) {
      ++(head.ok() && !ours ? out.foreign : out.broken);
      remove(name);
      continue;
    }
    found.head = std::move(*head);
    found.file = name;
    found.used = fs::last_write_time(folder_ / name, error);
    out.files.push_back(std::move(found));
  }
  std::sort(out.files.begin(), out.files.end(), [](const Found& a, const Found& b) {
    return a.used > b.used;
  });
  return out;
}

Status StateFolder::write(
    const std::string& file, std::span<const std::byte> head, std::span<const std::byte> state
) const {
  const fs::path part = folder_ / (file + ".part");
  Status status;
  {
    const OpenFile out(::open(part.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
    if (out.get() < 0) return file_error("make a file", errno);
    status = write_whole(write_, out.get(), head);
    if (status.ok()) status = write_whole(write_, out.get(), state);
  }
  if (status.ok() && ::rename(part.c_str(), (folder_ / file).c_str()) != 0) {
    status = file_error("rename", errno);
  }
  if (!status.ok()) ::unlink(part.c_str());
  return status;
}

Result<std::vector<std::byte>> StateFolder::read(const std::string& file, const PrefixKey& key)
    const {
  const fs::path path = folder_ / file;
  const OpenFile in(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  std::uint64_t file_bytes = 0;
  CORTEX_ASSIGN_OR_RETURN(const PrefixFileHead head, read_head(in.get(), file_bytes));
  if (head.key != key) return Status(Code::kDataLoss, "prefix file: of another prefix");
  std::vector<std::byte> out;
  out.reserve(static_cast<std::size_t>(head.state_bytes));
  prefer_large_pages(out.data(), out.capacity());
  out.resize(static_cast<std::size_t>(head.state_bytes));
  CORTEX_RETURN_IF_ERROR(read_whole(in.get(), out));
  if (prefix_checksum(out) != head.state_checksum) {
    return Status(Code::kDataLoss, "prefix file: damaged");
  }
  std::error_code ignored;
  fs::last_write_time(path, fs::file_time_type::clock::now(), ignored);
  return out;
}

void StateFolder::remove(const std::string& file) const {
  std::error_code ignored;
  fs::remove(folder_ / file, ignored);
}

}  // namespace cortex::cache
