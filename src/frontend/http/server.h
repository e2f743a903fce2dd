// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/status.h"
#include "frontend/http/authenticator.h"
#include "frontend/http/quota_gate.h"
#include "frontend/http/route_table.h"
#include "request/request_record.h"

namespace cortex::frontend {

// Every limit of the HTTP server. What reaches one is refused with a text that names it.
struct HttpServerOptions {
  std::string host = "127.0.0.1";             // an address, or "localhost"
  std::uint16_t port = 8000;                  // 0: any free one
  std::optional<std::uint16_t> metrics_port;  // its own port; empty: none

  std::size_t io_threads = 1;
  std::chrono::microseconds idle_poll{0};  // idle_poll_policy.h; 0: sleep at once
  std::size_t connections_max = 4096;      // over it a connection gets a 503 and ends
  std::size_t header_bytes_limit = 16 * 1024;
  std::size_t body_bytes_limit = 64 * 1024 * 1024;     // unpacked; a route may have its own
  std::size_t body_budget_bytes = 1024 * 1024 * 1024;  // all bodies held at once; over it 503
  std::size_t stream_queue_bytes = 256 * 1024;         // unsent bytes of one streamed answer

  std::chrono::milliseconds header_timeout{10'000
  };  // for a whole header, and for the first byte of a connection
  std::chrono::milliseconds body_timeout{30'000};        // for every next 16 KiB of a body
  std::chrono::milliseconds keep_alive_timeout{75'000};  // between two requests
  std::chrono::milliseconds write_timeout{30'000};       // without a byte taken by the client

  std::string server_name = "cortex";
  std::vector<std::string> cors_origins;  // "*": any; empty: no CORS headers
};

// What the server serves, and whom it asks and tells. The pointers outlive the server.
struct HttpService {
  RouteTable routes;
  std::optional<RouteTable> metrics_routes;  // for metrics_port
  const Authenticator* authenticator = nullptr;
  RecordSink* records = nullptr;
  const Clock* clock = &steady_clock();
  QuotaGate* quotas = nullptr;  // null: nobody has limits
};

// Counters since the start, and two levels.
struct HttpCounts {
  std::uint64_t accepted = 0;      // connections
  std::uint64_t refused = 0;       // connections over connections_max
  std::uint64_t open = 0;          // connections now
  std::uint64_t requests = 0;      // that reached a handler
  std::uint64_t bad_requests = 0;  // refused by the server itself
  std::uint64_t disconnects = 0;   // clients that left before their answer
  std::uint64_t header_timeouts = 0;
  std::uint64_t body_timeouts = 0;
  std::uint64_t write_timeouts = 0;
  std::uint64_t idle_timeouts = 0;
  std::uint64_t bytes_in = 0;
  std::uint64_t bytes_out = 0;
  std::uint64_t body_budget_used = 0;  // bytes now
};

// The HTTP/1.1 server: connections, limits, routing and keys; it knows no API. Handlers run on io
// threads. A client that closes its side, even only for sending, while its request is served has
// left: the request is cancelled (Exchange::on_disconnect). One request of a connection is served
// at a time; further ones wait in its read buffer. Thread-safe: every method may be called from any
// thread but the io threads.
class HttpServer {
 public:
  HttpServer(HttpServerOptions options, HttpService service);
  // Stops. Handlers that still hold an Exchange may reply into the void.
  ~HttpServer();

  // Listens and starts the io threads. Fails with kUnavailable when a port is taken and
  // kInvalidArgument for a host that is no address. Once.
  [[nodiscard]] Status start();

  [[nodiscard]] std::uint16_t port() const;
  [[nodiscard]] std::uint16_t metrics_port() const;  // 0 without one
  // Of port(). REQUIRES: started. Lives as long as the server.
  [[nodiscard]] const RouteTable& routes() const;
  [[nodiscard]] std::size_t open_exchanges() const;  // requests in handlers
  [[nodiscard]] HttpCounts counts() const;

  // Takes what already waits in the listen queue, then closes it.
  void stop_accepting();
  // After stop_accepting(): answers what is in flight, each with "Connection: close". Idle
  // connections get half a second for a request that is under way. True when every connection and
  // every request ended before `deadline` (of steady_clock()).
  bool drain(TimePoint deadline);
  // Cuts every connection, with a 503 for what was not answered, and joins the io threads.
  // Idempotent.
  void stop();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace cortex::frontend
