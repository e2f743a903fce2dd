// SPDX-License-Identifier: Apache-2.0
#include "cli/backup_archive.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <utility>

#include "base/check.h"

namespace cortex::cli {
namespace {

constexpr std::size_t kBlock = 512;
constexpr std::size_t kNameBytes = 100;
constexpr std::uint64_t kOctalLimit = std::uint64_t{1} << 33;  // what 11 octal digits hold

using Block = std::array<char, kBlock>;

// Where the fields of a header stand.
constexpr std::size_t kMode = 100;
constexpr std::size_t kSize = 124;
constexpr std::size_t kSum = 148;
constexpr std::size_t kType = 156;
constexpr std::size_t kMagic = 257;

Status disk_error(const std::string& file, int error) {
  const std::string text = "'" + file + "': " + std::system_category().message(error);
  return error == ENOSPC ? resource_exhausted(text) : failed_precondition(text);
}

Status cut_off() { return {Code::kDataLoss, "the backup is cut off"}; }

void put_octal(Block& block, std::size_t at, std::size_t digits, std::uint64_t value) {
  for (std::size_t i = digits; i > 0; --i, value >>= 3) {
    block[at + i - 1] = static_cast<char>('0' + (value & 7));
  }
}

void put_size(Block& block, std::uint64_t size) {
  if (size < kOctalLimit) return put_octal(block, kSize, 11, size);
  block[kSize] = '\x80';
  for (std::size_t i = 11; i > 3; --i, size >>= 8) {
    block[kSize + i] = static_cast<char>(size & 0xFF);
  }
}

std::uint64_t sum_of(const Block& block) {
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < kBlock; ++i) {
    const bool own = i >= kSum && i < kSum + 8;
    sum += own ? ' ' : static_cast<unsigned char>(block[i]);
  }
  return sum;
}

Block header_of(const ArchiveEntry& entry) {
  Block block{};
  std::copy(entry.name.begin(), entry.name.end(), block.begin());
  put_octal(block, kMode, 7, 0600);
  put_octal(block, kMode + 8, 7, 0);
  put_octal(block, kMode + 16, 7, 0);
  put_size(block, entry.size);
  put_octal(block, kSize + 12, 11, 0);
  block[kType] = '0';
  std::memcpy(block.data() + kMagic, "ustar\00000", 8);
  put_octal(block, kSum, 6, sum_of(block));
  block[kSum + 7] = ' ';
  return block;
}

std::optional<std::uint64_t> octal_of(const char* digits, std::size_t count) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < count && digits[i] != '\0' && digits[i] != ' '; ++i) {
    if (digits[i] < '0' || digits[i] > '7') return std::nullopt;
    value = value << 3 | static_cast<std::uint64_t>(digits[i] - '0');
  }
  return value;
}

std::optional<std::uint64_t> size_of(const Block& block) {
  if (block[kSize] != '\x80') return octal_of(block.data() + kSize, 11);
  std::uint64_t value = 0;
  for (std::size_t i = 4; i <= 11; ++i) {
    value = value << 8 | static_cast<unsigned char>(block[kSize + i]);
  }
  return value;
}

std::uint64_t padding_of(std::uint64_t size) { return (kBlock - size % kBlock) % kBlock; }

}  // namespace

struct ArchiveWriter::State {
  std::string file;
  int descriptor = -1;
  std::uint64_t left = 0;  // of the entry
  std::uint64_t padding = 0;

  [[nodiscard]] std::string part() const { return file + ".part"; }
  [[nodiscard]] Status put(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t put = ::write(descriptor, bytes.data(), bytes.size());
      if (put < 0 && errno == EINTR) continue;
      if (put < 0) return disk_error(part(), errno);
      bytes.remove_prefix(static_cast<std::size_t>(put));
    }
    return {};
  }
  ~State() {
    if (descriptor < 0) return;
    ::close(descriptor);
    ::unlink(part().c_str());
  }
};

ArchiveWriter::ArchiveWriter(std::unique_ptr<State> state) : state_(std::move(state)) {}
ArchiveWriter::ArchiveWriter(ArchiveWriter&&) noexcept = default;
ArchiveWriter::~ArchiveWriter() = default;

Result<ArchiveWriter> ArchiveWriter::create(const std::string& file) {
  auto state = std::make_unique<State>();
  state->file = file;
  std::error_code error;
  if (std::filesystem::exists(file, error)) return already_exists("'" + file + "' exists already");
  const std::string part = state->part();
  state->descriptor = ::open(part.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (state->descriptor < 0) return disk_error(part, errno);
  return ArchiveWriter(std::move(state));
}

Status ArchiveWriter::begin(const ArchiveEntry& entry) {
  CHECK(state_->left == 0, "an entry is written whole");
  CHECK(!entry.name.empty() && entry.name.size() <= kNameBytes, "a name that the archive holds");
  const std::string padding(state_->padding, '\0');
  CORTEX_RETURN_IF_ERROR(state_->put(padding));
  const Block header = header_of(entry);
  state_->left = entry.size;
  state_->padding = padding_of(entry.size);
  return state_->put({header.data(), header.size()});
}

Status ArchiveWriter::write(std::string_view bytes) {
  CHECK(bytes.size() <= state_->left, "an entry holds no more than its size");
  state_->left -= bytes.size();
  return state_->put(bytes);
}

Status ArchiveWriter::finish() {
  CHECK(state_->left == 0, "an entry is written whole");
  const std::string end(state_->padding + 2 * kBlock, '\0');
  CORTEX_RETURN_IF_ERROR(state_->put(end));
  const std::string part = state_->part();
  if (::fsync(state_->descriptor) != 0) return disk_error(part, errno);
  if (::rename(part.c_str(), state_->file.c_str()) != 0) return disk_error(state_->file, errno);
  ::close(std::exchange(state_->descriptor, -1));
  return {};
}

struct ArchiveReader::State {
  std::string file;
  int descriptor = -1;
  std::uint64_t left = 0;
  std::uint64_t padding = 0;

  // As many bytes as there are, up to all of `into`.
  [[nodiscard]] Result<std::size_t> take(std::span<char> into) {
    std::size_t got = 0;
    while (got < into.size()) {
      const ssize_t more = ::read(descriptor, into.data() + got, into.size() - got);
      if (more < 0 && errno == EINTR) continue;
      if (more < 0) return disk_error(file, errno);
      if (more == 0) break;
      got += static_cast<std::size_t>(more);
    }
    return got;
  }
  ~State() {
    if (descriptor >= 0) ::close(descriptor);
  }
};

ArchiveReader::ArchiveReader(std::unique_ptr<State> state) : state_(std::move(state)) {}
ArchiveReader::ArchiveReader(ArchiveReader&&) noexcept = default;
ArchiveReader::~ArchiveReader() = default;

Result<ArchiveReader> ArchiveReader::open(const std::string& file) {
  auto state = std::make_unique<State>();
  state->file = file;
  state->descriptor = ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
  if (state->descriptor < 0) return disk_error(file, errno);
  return ArchiveReader(std::move(state));
}

Result<std::optional<ArchiveEntry>> ArchiveReader::next() {
  const std::uint64_t skip = state_->left + state_->padding;
  if (skip > 0 && ::lseek(state_->descriptor, static_cast<off_t>(skip), SEEK_CUR) < 0) {
    return disk_error(state_->file, errno);
  }
  state_->left = state_->padding = 0;
  Block block{};
  CORTEX_ASSIGN_OR_RETURN(const std::size_t got, state_->take(block));
  if (got < kBlock) return cut_off();
  if (block == Block{}) return std::optional<ArchiveEntry>();
  const auto size = size_of(block);
  const bool good = std::memcmp(block.data() + kMagic, "ustar", 5) == 0 && size &&
                    octal_of(block.data() + kSum, 7) == sum_of(block) &&
                    *size < std::uint64_t{1} << 62 && block[kType] == '0';
  if (!good) return Status(Code::kDataLoss, "the file is no backup, or broken");
  ArchiveEntry entry;
  entry.name.assign(block.data(), ::strnlen(block.data(), kNameBytes));
  entry.size = *size;
  state_->left = *size;
  state_->padding = padding_of(*size);
  return std::optional(std::move(entry));
}

Result<std::size_t> ArchiveReader::read(std::span<char> into) {
  const std::size_t wanted = std::min<std::uint64_t>(into.size(), state_->left);
  if (wanted == 0) return std::size_t{0};
  CORTEX_ASSIGN_OR_RETURN(const std::size_t got, state_->take(into.first(wanted)));
  if (got < wanted) return cut_off();
  state_->left -= got;
  return got;
}

}  // namespace cortex::cli
