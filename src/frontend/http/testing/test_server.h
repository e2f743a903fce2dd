// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/mutex.h"
#include "frontend/http/server.h"

namespace cortex::frontend {

// Keeps every record. Thread-safe.
class RecordList final : public RecordSink {
 public:
  void record(const RequestRecord& record) override;
  // The records, once there are `count`; fewer after ten seconds.
  [[nodiscard]] std::vector<RequestRecord> wait_for(std::size_t count);

 private:
  Mutex mutex_;
  Condition changed_;
  std::vector<RequestRecord> records_ GUARDED_BY(mutex_);
};

// Keys are the names of scopes: "Bearer admin" may all, "Bearer read" may read. Without a header:
// kUnauthenticated.
class ScopeAuthenticator final : public Authenticator {
 public:
  [[nodiscard]] Result<Principal> authenticate(const Credentials& credentials) const override;
};

class OpenAuthenticator final : public Authenticator {
 public:
  [[nodiscard]] Result<Principal> authenticate(const Credentials&) const override {
    return Principal();
  }
};

// Hands exchanges that a handler parked to the test. Thread-safe.
class ExchangeShelf {
 public:
  void put(std::shared_ptr<Exchange> exchange);
  // The next one; null after ten seconds.
  [[nodiscard]] std::shared_ptr<Exchange> take();

 private:
  Mutex mutex_;
  Condition changed_;
  std::vector<std::shared_ptr<Exchange>> exchanges_ GUARDED_BY(mutex_);
};

// A server on a free port of the loopback with routes that show what arrives:
//   POST /echo        the body
//   GET  /hello       "hello", open to everybody
//   POST /park        put on the shelf: the test answers; the same for GET /parked
//   GET  /segments    a body in pieces, small and large
//   GET  /drop        lets go of the exchange
//   GET  /m/{name}    the name; errors as {"text": …}
//   POST /small       at most 100 bytes
// and some whose bodies are streamed:
//   POST /count       reads the body and answers how many bytes it had
//   POST /repeat      answers with the body while it comes
//   POST /early       answers without a look at the body
//   POST /window      put on the shelf: the test reads
class TestServer {
 public:
  explicit TestServer(
      HttpServerOptions options = {}, std::unique_ptr<Authenticator> authenticator = nullptr
  );

  [[nodiscard]] std::uint16_t port() const { return server_->port(); }
  [[nodiscard]] HttpServer& server() { return *server_; }
  [[nodiscard]] RecordList& records() { return records_; }
  [[nodiscard]] ExchangeShelf& shelf() { return shelf_; }
  [[nodiscard]] VirtualClock& clock() { return clock_; }

 private:
  [[nodiscard]] Api make_api();

  VirtualClock clock_;
  RecordList records_;
  ExchangeShelf shelf_;
  std::unique_ptr<Authenticator> authenticator_;
  std::unique_ptr<HttpServer> server_;
};

// Polls `condition` until it holds; false after ten seconds.
template <typename Condition>
[[nodiscard]] bool eventually(Condition condition) {
  const TimePoint deadline = steady_clock().now() + std::chrono::seconds(10);
  while (!condition()) {
    if (steady_clock().now() > deadline) return false;
    std::this_thread::yield();
  }
  return true;
}

}  // namespace cortex::frontend
