// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "base/status.h"
#include "store/artifact_store.h"

namespace cortex::store {

// Sent in signatures alone, never as they are, and never logged.
struct S3Credentials {
  std::string key;
  std::string secret;
  std::string token;  // of temporary ones
};

struct S3Options {
  std::string endpoint;  // https://s3.eu-west-1.amazonaws.com
  std::string bucket;    // which exists
  std::string prefix;    // of every key; empty, or without a slash at its end
  std::string region = "us-east-1";
  bool path_style = false;  // the bucket's name stands in the path, not in the host
  S3Credentials credentials;
  std::string ca_file;                        // of https; empty: the system's certificates
  std::uint64_t part_bytes = 8ull << 20;      // of an upload; at least 5 MiB, 10 000 parts at most
  std::chrono::milliseconds timeout{30'000};  // after that a failed call is not made again
  std::chrono::milliseconds stall{15'000};    // without a byte
  std::uint64_t connections = 16;
};

// A store in an S3-compatible bucket; several processes may share it. Nothing is asked of the
// server but PUT, GET of ranges, DELETE, lists and multipart uploads, and that a list shows what
// was written before it.
//
//   <prefix>/sha256/<digest>/<size>-<id>        the bytes of a blob up to part_bytes; or, with the
//   <prefix>/sha256/<digest>/<size>-<id>.parts  ending, empty: the bytes are in
//   <prefix>/parts/<id>                         made by a multipart upload
//
// A blob appears with the one PUT below sha256/, when its bytes are whole: a kill leaves what
// nobody sees. Every finish() writes an object of its own, so that a removal, which deletes the old
// objects that it saw, never meets it; older objects of the same digest go then. A writer holds
// part_bytes in memory. What fails on the way (connections, 5xx, SlowDown) is repeated, with pauses
// that double, and a download goes on where it broke off.
//
// kInvalidArgument for options that make no bucket; kUnavailable when the bucket does not answer.
[[nodiscard]] Result<std::unique_ptr<ArtifactStore>> open_artifact_s3(const S3Options& options);

}  // namespace cortex::store
