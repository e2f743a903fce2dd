// SPDX-License-Identifier: Apache-2.0
#include "registry/adapters/adapter_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <span>
#include <system_error>
#include <utility>
#include <vector>

#include "store/artifact_digest.h"

namespace cortex::registry {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kReadBytes = std::size_t{256} << 10;

Status refuse_path(const std::string& path, const std::string& why) {
  return invalid_argument("path '" + path + "' " + why).with_field("path");
}

std::string descriptor_name(int descriptor) {
  return "/proc/self/fd/" + std::to_string(descriptor);
}

}  // namespace

Result<AdapterFile> AdapterFile::open(
    const fs::path& folder, const std::string& path, std::uint64_t bytes_max
) {
  if (folder.empty()) {
    return failed_precondition("this server has no folder of adapters: set adapters.folder");
  }
  // A fifo would wait for a writer for ever.
  const int descriptor =
      ::open((folder / path).c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (descriptor < 0) {
    if (errno == ENOENT || errno == ENOTDIR) {
      return not_found("there is no file '" + path + "' in the folder of adapters")
          .with_field("path");
    }
    return refuse_path(path, std::string("cannot be opened: ") + std::strerror(errno));
  }
  AdapterFile out(descriptor);
  CORTEX_RETURN_IF_ERROR(out.place_below(folder, path));
  const Status measured = out.measure(bytes_max);
  if (!measured.ok()) return refuse_path(path, measured.text());
  CORTEX_RETURN_IF_ERROR(out.read_all());
  return out;
}

AdapterFile::AdapterFile(AdapterFile&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)),
      below_folder_(std::move(other.below_folder_)),
      digest_(std::move(other.digest_)),
      bytes_(other.bytes_) {}

AdapterFile::~AdapterFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

fs::path AdapterFile::path() const { return descriptor_name(descriptor_); }

std::string AdapterFile::named(std::string text) const {
  const std::string opened = path().string();
  const std::string last = path().filename().string();
  const auto ends_at = [&](std::size_t end) {
    return end == text.size() || text[end] < '0' || text[end] > '9';
  };
  for (auto at = text.find(opened); at != std::string::npos; at = text.find(opened, at)) {
    const bool whole = ends_at(at + opened.size());
    if (whole) text.replace(at, opened.size(), below_folder_);
    at += whole ? below_folder_.size() : opened.size();
  }
  const bool leads = text.starts_with(last) && text.size() > last.size() &&
                     (text[last.size()] == ':' || text[last.size()] == ' ');
  if (leads) text.replace(0, last.size(), below_folder_);
  return text;
}

// The kernel says where the open file really lies: a link that moved meanwhile changes nothing.
Status AdapterFile::place_below(const fs::path& folder, const std::string& asked) {
  std::error_code error;
  const fs::path root = fs::canonical(folder, error);
  const fs::path real = error ? fs::path() : fs::read_symlink(path(), error);
  if (error) return refuse_path(asked, "cannot be followed: " + error.message());
  const std::string prefix = root == "/" ? "/" : root.string() + "/";
  if (!real.string().starts_with(prefix)) {
    return refuse_path(asked, "leads out of the folder of adapters");
  }
  below_folder_ = real.string().substr(prefix.size());
  return {};
}

Status AdapterFile::measure(std::uint64_t bytes_max) {
  struct stat facts{};
  if (::fstat(descriptor_, &facts) != 0 || !S_ISREG(facts.st_mode)) {
    return invalid_argument("is no regular file");
  }
  if (static_cast<std::uint64_t>(facts.st_size) > bytes_max) {
    return invalid_argument("has more than " + std::to_string(bytes_max) + " bytes");
  }
  bytes_ = facts.st_size;
  return {};
}

Status AdapterFile::read_all() {
  store::Digest digest;
  std::vector<std::byte> block(kReadBytes);
  std::int64_t at = 0;
  while (at <= bytes_) {
    const ssize_t got = ::pread(descriptor_, block.data(), block.size(), at);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return unavailable(std::string("the adapter cannot be read: ") + strerror(errno));
    if (got == 0) break;
    digest.add(std::span(block).first(static_cast<std::size_t>(got)));
    at += got;
  }
  if (at != bytes_) return unavailable("the adapter's file changed while it was read");
  digest_ = digest.finish();
  return {};
}

}  // namespace cortex::registry
