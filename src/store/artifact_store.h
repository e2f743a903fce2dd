// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/status.h"

namespace cortex::store {

// Bytes by their content: the name is the SHA-256, so nothing a client says becomes a path, equal
// files are kept once, and what was read can be checked.
struct Blob {
  std::string digest;  // 64 lower-case hexadecimal digits
  std::uint64_t size = 0;
};

// A blob and how long ago it was last written; writing the same bytes again counts.
struct StoredBlob {
  Blob blob;
  Duration age{};
};

// True for 64 lower-case hexadecimal digits.
[[nodiscard]] bool is_digest(std::string_view text);

// A blob on its way in. Nothing of it is visible before finish(); without finish() it is discarded.
// After an error it can only be discarded. Thread: one at a time; every call may block on the disk
// or the network, the destructor too.
class BlobWriter {
 public:
  virtual ~BlobWriter() = default;
  [[nodiscard]] virtual Status write(std::span<const std::byte> bytes) = 0;
  // Makes it durable and visible as a whole; its age is then zero, also when the store had the same
  // bytes before. Once. kResourceExhausted: the disk is full.
  [[nodiscard]] virtual Result<Blob> finish() = 0;
};

// An open blob. In a folder it can be read to its end even if it is collected meanwhile; in an S3
// store it is kNotFound from then on, which is longer after its opening than the grace of
// artifact_index.h. Thread: one at a time; read() blocks.
class BlobReader {
 public:
  virtual ~BlobReader() = default;
  [[nodiscard]] virtual std::uint64_t size() const = 0;
  // Fills `out` from `offset`; the number of bytes, less than asked for only at the end.
  [[nodiscard]] virtual Result<std::size_t> read(
      std::uint64_t offset, std::span<std::byte> out
  ) = 0;
};

// What a store has moved over a network since it was opened.
struct ArtifactTraffic {
  std::uint64_t uploads = 0;    // blobs that came in whole
  std::uint64_t downloads = 0;  // blobs that were opened or materialised
  std::uint64_t bytes_sent = 0;
  std::uint64_t bytes_received = 0;
  std::uint64_t calls = 0;
  std::uint64_t repeats = 0;   // calls made again
  std::uint64_t failures = 0;  // calls given up
};

// Where blobs lie: a folder, or an S3-compatible store. It knows no references: artifact_index
// keeps those in the database and decides what is removed (the protocol stands there). It outlives
// its writers and readers. Thread-safe; every function may block.
class ArtifactStore {
 public:
  virtual ~ArtifactStore() = default;

  [[nodiscard]] virtual Result<std::unique_ptr<BlobWriter>> begin() = 0;
  // kNotFound when there is none of that digest.
  [[nodiscard]] virtual Result<std::unique_ptr<BlobReader>> open(const std::string& digest) = 0;
  [[nodiscard]] virtual Result<bool> contains(const std::string& digest) = 0;

  // Removes the blob unless it is younger than `age`; whether it is gone. One step with finish() of
  // the same bytes: that comes before it and keeps the blob young, or after it and makes it anew.
  [[nodiscard]] virtual Result<bool> remove(const std::string& digest, Duration age) = 0;
  // The blobs behind the digest `after`, in order; at most `limit`.
  [[nodiscard]] virtual Result<std::vector<StoredBlob>> list(
      std::string_view after, std::size_t limit
  ) = 0;

  // Removes what uploads left behind that died longer ago than `age`, which is longer than any
  // upload takes; the number of bytes, as far as they are known.
  [[nodiscard]] virtual Result<std::uint64_t> sweep(Duration age) = 0;

  // One blob of the bytes of `parts`, one behind the other. Where the file system can, they share
  // their place on the disk. kNotFound when one is missing; kDataLoss when one is not what its
  // digest says.
  [[nodiscard]] virtual Result<Blob> join(std::span<const Blob> parts) = 0;

  // Makes `to` (a new file in an existing folder) hold the blob: by a hard link where the blob is a
  // file on the same disk, else by a copy. The file must not be written to. kAlreadyExists when
  // there is something.
  [[nodiscard]] virtual Status materialise(
      const std::string& digest, const std::filesystem::path& to
  ) = 0;

  // Where anybody can read the blob without us, for as long as `lifetime`. kUnimplemented where
  // there is no such place; kNotFound.
  [[nodiscard]] virtual Result<std::string> presign(
      const Blob& blob, std::chrono::seconds lifetime
  );
  // Nothing for a store on a disk.
  [[nodiscard]] virtual std::optional<ArtifactTraffic> traffic() const { return std::nullopt; }
};

// Reads a whole blob: kDataLoss when its bytes are not what its name and `size` say, kNotFound when
// there is none.
[[nodiscard]] Status check_blob(ArtifactStore& artifacts, const Blob& blob);

// A store in a folder: <folder>/sha256/ab/<digest>, uploads in <folder>/incoming until they are
// whole and synced. Makes the folder, and removes what killed processes left in incoming. Several
// processes may share the folder.
[[nodiscard]] Result<std::unique_ptr<ArtifactStore>> open_artifact_folder(
    const std::filesystem::path& folder
);

}  // namespace cortex::store
