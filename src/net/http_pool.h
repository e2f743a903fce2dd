// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>

#include "base/clock.h"
#include "base/status.h"
#include "net/http_message.h"
#include "net/socket.h"
#include "net/tls.h"

namespace cortex::net {

struct HttpPoolOptions {
  std::size_t connections = 16;  // in use at once, to all servers together
  std::size_t idle = 8;          // kept open between calls
  std::chrono::milliseconds idle_timeout{30'000};
  std::chrono::milliseconds connect_timeout{10'000};  // TLS included
  std::chrono::milliseconds stall_timeout{30'000};    // without a byte
  std::chrono::milliseconds timeout{300'000};         // of one call, waiting for its turn included
  std::size_t header_bytes_max = 64 * 1024;
  std::size_t body_bytes_max = 64ull << 20;  // of an answer that is held in memory
  TlsOptions tls;
  AddressFilter allowed;  // of all calls
};

// HTTP/1.1 calls to any servers, over connections that are kept for the next call. Redirects are
// not followed, nothing is decoded, no proxy is used. Thread-safe; every call blocks the calling
// thread until it is answered or its deadline passes, so it has no place on io and lane threads.
class HttpPool {
 public:
  // kFailedPrecondition when the file of CA certificates cannot be read.
  [[nodiscard]] static Result<std::unique_ptr<HttpPool>> make(const HttpPoolOptions& options);
  // REQUIRES: no call is under way.
  ~HttpPool();

  // Whatever the server answered, 4xx and 5xx too. kInvalidArgument for a request that is none;
  // kUnavailable when the server cannot be reached, breaks off or speaks no HTTP;
  // kFailedPrecondition for a certificate that is not good; kPermissionDenied for an address that
  // is not allowed; kDeadlineExceeded; kResourceExhausted when an answer is over a limit or all
  // connections are in use until the deadline; otherwise the error of a source or sink. A call is
  // sent a second time only when a kept connection turned out closed before a byte of the answer
  // came, its method is idempotent, and its source was not used.
  [[nodiscard]] Result<HttpResponse> send(const HttpRequest& request);
  [[nodiscard]] Result<HttpResponse> send(const HttpRequest& request, const HttpStreams& streams);

 private:
  class Impl;
  explicit HttpPool(std::unique_ptr<Impl> impl);
  const std::unique_ptr<Impl> impl_;
};

}  // namespace cortex::net
