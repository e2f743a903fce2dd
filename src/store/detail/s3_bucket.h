// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/status.h"
#include "store/artifact_s3.h"

struct cortex_s3_bucket;

namespace cortex::store {

using S3Pairs = std::vector<std::pair<std::string, std::string>>;

enum class S3Method { kGet = 0, kHead = 1, kPut = 2, kPost = 3, kDelete = 4 };
[[nodiscard]] std::string_view method_name(S3Method method);

// What a request asks for. The headers are signed, so they must be sent: lower-case names.
struct S3Target {
  S3Method method = S3Method::kGet;
  std::string object;  // a key; empty: the bucket itself
  S3Pairs query;
  S3Pairs headers;
};

struct S3Item {
  std::string key;
  std::string upload;
  std::int64_t unix_seconds = 0;
  std::uint64_t size = 0;
};
struct S3Listing {
  std::vector<S3Item> items;
  std::optional<std::pair<std::string, std::string>> more;  // where the next page begins
  std::int64_t now = 0;  // the server's time, where a call brought it

  [[nodiscard]] Duration age(const S3Item& item) const;
};
enum class S3Answer { kObjects = 0, kUploads = 1, kCreated = 2, kCompleted = 3, kError = 4 };

// Signatures and XML of the S3 protocol; sends nothing. Immutable, thread-safe.
class S3Bucket {
 public:
  // kInvalidArgument when the options make no URL.
  [[nodiscard]] static Result<std::unique_ptr<S3Bucket>> make(const S3Options& options);
  ~S3Bucket();

  // The URL with the signature in it, valid from now.
  [[nodiscard]] std::string sign(const S3Target& target, std::chrono::seconds lifetime) const;

 private:
  explicit S3Bucket(cortex_s3_bucket* bucket) : bucket_(bucket) {}
  cortex_s3_bucket* const bucket_;
};

// The body that completes a multipart upload of parts with these ETags.
[[nodiscard]] std::string completion_of(const std::vector<std::string>& etags);
// Nothing when the body is no such answer.
[[nodiscard]] std::optional<S3Listing> read_answer(S3Answer kind, std::string_view body);

}  // namespace cortex::store
