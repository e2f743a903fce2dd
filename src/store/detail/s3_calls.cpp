// SPDX-License-Identifier: Apache-2.0
#include "store/detail/s3_calls.h"

#include <time.h>

#include <algorithm>
#include <charconv>
#include <random>
#include <span>
#include <utility>

#include "base/log.h"

namespace cortex::store {
namespace {

constexpr Duration kFirstPause = std::chrono::milliseconds(100);
constexpr Duration kLongestPause = std::chrono::seconds(5);
constexpr std::chrono::seconds kSignatureLifetime{900};
constexpr std::size_t kAnswerBytesMax = 4 * 1024 * 1024;

constexpr const char* kUnreachable = "the artifact store does not answer";

// Waits without anything that could end it early but time.
void pause_for(Duration time) {
  Mutex mutex;
  Condition never;
  const TimePoint end = steady_clock().now() + time;
  MutexLock lock(mutex);
  while (never.wait_until(mutex, end)) {
  }
}

Duration between(Duration low, Duration high) {
  static thread_local std::minstd_rand random{std::random_device{}()};
  return Duration(std::uniform_int_distribution<Duration::rep>(low.count(), high.count())(random));
}

// Seconds since the Unix epoch by the server's own clock; by ours when it does not say.
std::int64_t server_seconds(const net::HttpResponse& response) {
  const std::string date(response.header("date"));
  tm parts{};
  const char* end = ::strptime(date.c_str(), "%a, %d %b %Y %H:%M:%S GMT", &parts);
  if (end == nullptr) return unix_milliseconds() / 1000;
  return ::timegm(&parts);
}

Duration retry_after(const net::HttpResponse& response) {
  const std::string_view text = response.header("retry-after");
  int seconds = 0;
  std::from_chars(text.data(), text.data() + text.size(), seconds);
  return std::clamp<Duration>(std::chrono::seconds(seconds), Duration::zero(), kLongestPause);
}

bool may_pass(int status, std::string_view code) {
  return status >= 500 || status == 408 || status == 429 || code == "SlowDown" ||
         code == "RequestTimeout" || code == "BadDigest" || code == "IncompleteBody" ||
         code == "OperationAborted";
}

bool is_full(int status, std::string_view code) {
  return status == 507 || code == "QuotaExceeded" || code == "InsufficientStorage" ||
         code == "XMinioStorageFull" || code == "EntityTooLarge";
}

S3Calls::Attempt refusal(const net::HttpResponse& response) {
  std::string code;
  std::string text = std::to_string(response.status);
  if (const auto error = read_answer(S3Answer::kError, response.body); error) {
    code = error->items.front().key;
    text += " " + code + ": " + error->items.front().upload;
  }
  const Detail detail{std::move(text)};
  if (is_full(response.status, code)) {
    return {Status(Code::kResourceExhausted, "the artifact store is full", detail)};
  }
  if (may_pass(response.status, code)) {
    return {Status(Code::kUnavailable, kUnreachable, detail), true, retry_after(response)};
  }
  if (code == "NoSuchBucket") {
    return {Status(Code::kInternal, "the bucket of the artifact store is not there", detail)};
  }
  if (response.status == 404) return {Status(Code::kNotFound, "no such blob", detail)};
  return {Status(Code::kInternal, "the artifact store refused a request", detail)};
}

}  // namespace

S3Patience::S3Patience(Duration time)
    : time_(time), end_(steady_clock().now() + time), pause_(kFirstPause) {}

bool S3Patience::wait(Duration least) {
  const Duration pause = std::max(least, between(pause_ / 2, pause_));
  if (steady_clock().now() + pause >= end_) return false;
  pause_ = std::min(2 * pause_, kLongestPause);
  pause_for(pause);
  return true;
}

void S3Patience::renew() {
  end_ = steady_clock().now() + time_;
  pause_ = kFirstPause;
}

S3Calls::S3Calls(
    std::unique_ptr<S3Bucket> bucket, std::unique_ptr<net::HttpPool> pool, Duration patience
)
    : bucket_(std::move(bucket)), pool_(std::move(pool)), patience_(patience) {}

Result<std::unique_ptr<S3Calls>> S3Calls::make(const S3Options& options) {
  CORTEX_ASSIGN_OR_RETURN(auto bucket, S3Bucket::make(options));
  net::HttpPoolOptions pool_options;
  pool_options.connections = options.connections;
  pool_options.idle = options.connections;
  pool_options.connect_timeout = options.stall;
  pool_options.stall_timeout = options.stall;
  pool_options.body_bytes_max = kAnswerBytesMax;
  pool_options.tls.ca_file = options.ca_file;
  CORTEX_ASSIGN_OR_RETURN(auto pool, net::HttpPool::make(pool_options));
  return std::unique_ptr<S3Calls>(new S3Calls(std::move(bucket), std::move(pool), options.timeout));
}

S3Calls::Attempt S3Calls::attempt(const S3Call& call) {
  ++calls_;
  net::HttpRequest request;
  request.method = method_name(call.target.method);
  request.url = bucket_->sign(call.target, kSignatureLifetime);
  request.headers = call.target.headers;
  net::HttpStreams streams;
  streams.sink = call.sink;
  std::string_view left = call.body;
  if (!left.empty()) {
    streams.body_bytes = left.size();
    streams.source = [&left](std::span<char> into) -> Result<std::size_t> {
      const std::size_t size = left.copy(into.data(), into.size());
      left.remove_prefix(size);
      return size;
    };
  }
  auto response = pool_->send(request, streams);
  bytes_sent_ += call.body.size() - left.size();
  if (response.ok()) {
    if (response->status >= 200 && response->status < 300) return {std::move(response)};
    return refusal(*response);
  }
  const Status& status = response.status();
  const bool network =
      status.code() == Code::kUnavailable || status.code() == Code::kDeadlineExceeded;
  if (!network && status.code() != Code::kFailedPrecondition) return {status};
  return {Status(Code::kUnavailable, kUnreachable, Detail{status.to_string()}), network};
}

Result<net::HttpResponse> S3Calls::run(const S3Call& call) {
  S3Patience patience(patience_);
  for (;;) {
    Attempt one = attempt(call);
    if (one.response.ok()) return std::move(one.response);
    if (!one.again || !patience.wait(one.pause)) {
      if (one.response.status().code() != Code::kNotFound) count_failure();
      return std::move(one.response);
    }
    log::debug(
        "a call to the artifact store is made again", {{"error", one.response.status().to_string()}}
    );
    count_repeat();
  }
}

Result<S3Listing> S3Calls::read(S3Answer kind, const S3Call& call) {
  S3Patience patience(patience_);
  for (;;) {
    CORTEX_ASSIGN_OR_RETURN(const net::HttpResponse response, run(call));
    if (auto listing = read_answer(kind, response.body)) {
      listing->now = server_seconds(response);
      return std::move(*listing);
    }
    // An error may come as a success, of a call that took long.
    if (!patience.wait(Duration::zero())) {
      count_failure();
      return Status(Code::kUnavailable, kUnreachable, Detail{response.body.substr(0, 500)});
    }
    count_repeat();
  }
}

ArtifactTraffic S3Calls::traffic() const {
  return {uploads_, downloads_, bytes_sent_, bytes_received_, calls_, repeats_, failures_};
}

}  // namespace cortex::store
