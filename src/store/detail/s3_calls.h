// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <string_view>

#include "base/clock.h"
#include "base/mutex.h"
#include "base/status.h"
#include "net/http_pool.h"
#include "store/artifact_s3.h"
#include "store/detail/s3_bucket.h"

namespace cortex::store {

// When a call that failed may be made again: after pauses that double, with chance in them, until
// the time is over. Thread: its owner's.
class S3Patience {
 public:
  explicit S3Patience(Duration time);

  // Waits; at once false when the time is over. `least`: what the server asked for.
  [[nodiscard]] bool wait(Duration least);
  // There was progress: begins anew.
  void renew();

 private:
  const Duration time_;
  TimePoint end_;
  Duration pause_;
};

struct S3Call {
  S3Target target;
  std::string_view body;
  net::HttpSink sink;
};

// Calls to one bucket. Counts them. Thread-safe; every call blocks.
class S3Calls {
 public:
  [[nodiscard]] static Result<std::unique_ptr<S3Calls>> make(const S3Options& options);

  // What one attempt came to.
  struct Attempt {
    Result<net::HttpResponse> response;  // 200 to 299, or what the caller shall see
    bool again = false;                  // the same call may succeed later
    Duration pause{};                    // the server's wish
  };
  [[nodiscard]] Attempt attempt(const S3Call& call);

  // Attempts until one succeeds, fails for good, or the time is over. kNotFound, kUnavailable, or
  // kResourceExhausted when the store is full; everything else that the server refuses is kInternal
  // with its reason as detail. REQUIRES: no sink.
  [[nodiscard]] Result<net::HttpResponse> run(const S3Call& call);
  // The same, and reads the answer.
  [[nodiscard]] Result<S3Listing> read(S3Answer kind, const S3Call& call);

  // Says that a call is made again, or given up.
  void count_repeat() { ++repeats_; }
  void count_failure() { ++failures_; }
  void count_upload() { ++uploads_; }
  void count_download() { ++downloads_; }
  void count_received(std::uint64_t bytes) { bytes_received_ += bytes; }
  [[nodiscard]] ArtifactTraffic traffic() const;

  [[nodiscard]] const S3Bucket& bucket() const { return *bucket_; }
  [[nodiscard]] Duration patience() const { return patience_; }

 private:
  S3Calls(std::unique_ptr<S3Bucket> bucket, std::unique_ptr<net::HttpPool> pool, Duration patience);

  const std::unique_ptr<S3Bucket> bucket_;
  const std::unique_ptr<net::HttpPool> pool_;
  const Duration patience_;
  std::atomic<std::uint64_t> uploads_{0};
  std::atomic<std::uint64_t> downloads_{0};
  std::atomic<std::uint64_t> bytes_sent_{0};
  std::atomic<std::uint64_t> bytes_received_{0};
  std::atomic<std::uint64_t> calls_{0};
  std::atomic<std::uint64_t> repeats_{0};
  std::atomic<std::uint64_t> failures_{0};
};

}  // namespace cortex::store
