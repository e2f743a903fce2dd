// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/status.h"
#include "store/detail/s3_calls.h"
#include "store/detail/s3_names.h"

namespace cortex::store {

// A name and how long ago it was written.
struct S3Found {
  S3Name name;
  Duration age{};
};

// Takes the next bytes of a download.
using S3Sink = std::function<Status(std::span<const std::byte>)>;

// What the store does with a bucket, one function per step. All block. Thread-safe.
class S3Objects {
 public:
  S3Objects(S3Calls& calls, S3Names names) : calls_(calls), names_(std::move(names)) {}

  [[nodiscard]] const S3Names& names() const { return names_; }
  [[nodiscard]] S3Calls& calls() const { return calls_; }

  [[nodiscard]] Status put(const std::string& key, std::string_view bytes) const;
  // Also OK when there is none.
  [[nodiscard]] Status remove(const std::string& key) const;
  // A page of what begins with `prefix`: behind `after`, or from `token` on.
  [[nodiscard]] Result<S3Listing> list(
      const std::string& prefix, const std::string& after, const std::string& token
  ) const;
  // Every name of a digest, the youngest first.
  [[nodiscard]] Result<std::vector<S3Found>> find(const std::string& digest) const;

  [[nodiscard]] Result<std::string> begin_upload(const std::string& key) const;
  // The ETag of the part.
  [[nodiscard]] Result<std::string> put_part(
      const std::string& key, const std::string& upload, std::size_t number, std::string_view bytes
  ) const;
  [[nodiscard]] Status complete_upload(
      const std::string& key, const std::string& upload, const std::vector<std::string>& etags
  ) const;
  [[nodiscard]] Status abort_upload(const std::string& key, const std::string& upload) const;
  // A page of the unfinished uploads of keys that begin with `prefix`, from a page's `more` on.
  [[nodiscard]] Result<S3Listing> list_uploads(
      const std::string& prefix, const std::pair<std::string, std::string>& from
  ) const;

  // The bytes from `begin` up to `end` of the blob behind `name`, in order, each once. Goes on
  // where a download broke off, and with another name of the digest when this one goes meanwhile:
  // `name` is that one then. kDataLoss when there are other bytes than the name says.
  [[nodiscard]] Status fetch(
      S3Name& name, std::uint64_t begin, std::uint64_t end, const S3Sink& sink
  ) const;

 private:
  [[nodiscard]] Status fetch_once(
      const S3Name& name,
      std::uint64_t& begin,
      std::uint64_t end,
      const S3Sink& sink,
      S3Calls::Attempt& attempt
  ) const;

  S3Calls& calls_;
  const S3Names names_;
};

}  // namespace cortex::store
