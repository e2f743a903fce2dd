// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/status.h"
#include "request/buffer.h"
#include "request/principal.h"
#include "request/request_record.h"

namespace cortex::frontend {

// How long the caller will wait, in milliseconds; 0 is no bound. Envoy, and what is built on it,
// sends it with every request whose route has a timeout. It counts for routes that run models.
inline constexpr std::string_view kTimeoutHeader = "x-envoy-expected-rq-timeout-ms";
inline constexpr std::uint64_t kTimeoutMsMax = 999'999'999;

enum class Method : std::uint8_t { kGet, kHead, kPost, kPut, kPatch, kDelete, kOptions };

// One request as it came, free of the HTTP library's types. Valid as long as its Exchange.
struct HttpRequest {
  Method method = Method::kGet;
  std::string path;   // percent-decoded, without the query
  std::string query;  // raw, without '?'
  std::vector<std::string>
      path_values;  // what stood for {model}, {version} … in the route's pattern, decoded
  std::string id;   // x-request-id, ours where the client sent none
  Principal principal;
  TimePoint arrival{};
  TimePoint deadline = kNoDeadline;    // after which nobody waits for the answer
  std::shared_ptr<const Buffer> body;  // whole and unpacked; never null, padded for JSON readers
  // With Inference-Header-Content-Length: N the byte behind the first N bytes of the body is
  // 64-byte aligned.
  std::optional<std::size_t> inference_header_length;

  // Header by its lower-case name; empty when absent.
  [[nodiscard]] std::string_view header(std::string_view lower_case_name) const;
  std::vector<std::pair<std::string, std::string>> headers;  // names in lower case
};

// Bytes that are sent from where they lie.
struct Segment {
  std::span<const std::byte> bytes;
  std::shared_ptr<const void> owner;
};

struct HttpReply {
  int status = 200;
  std::string_view content_type = "application/json";             // static text
  std::vector<std::pair<std::string_view, std::string>> headers;  // names are static text
  std::string body;                                               // sent first
  std::vector<Segment> segments;                                  // sent behind it, without a copy
  // Of begin_stream(): the bytes of the whole, where that is known; it is sent as Content-Length.
  std::optional<std::uint64_t> stream_bytes;
};

// One request and its answer. Handlers get it as a shared_ptr and keep it until they replied. If
// the last reference goes without a reply, the client gets a 500 and the fault is logged.
class Exchange {
 public:
  virtual ~Exchange() = default;

  [[nodiscard]] virtual const HttpRequest& request() const = 0;

  // The record that is emitted when the exchange ends. Fill model, status and timings before
  // replying. Thread: whoever holds the right to reply.
  [[nodiscard]] virtual RequestRecord& record() = 0;

  // Runs `work` on the connection's own thread, where reply() costs no further hand-over: a lane
  // that ends a stream posts the writing of the answer instead of doing it. Any thread.
  virtual void post(std::function<void()> work) = 0;

  // The whole answer, once. Any thread: it is handed to the connection's own.
  virtual void reply(HttpReply reply) = 0;
  // The error in the shape of the route's API, by the one table of status_map.
  virtual void fail(const Status& status) = 0;

  // A streamed answer instead of reply(): head, then chunks, then the end. Any one thread at a
  // time. With stream_bytes the chunks must come to just that many; an end before it, as letting go
  // of the exchange, cuts the connection: the client must not take what it has for the whole.
  virtual void begin_stream(HttpReply head) = 0;
  // False when the bounded send queue is full or the client left: call again from on_writable.
  [[nodiscard]] virtual bool write(std::string chunk) = 0;
  virtual void on_writable(std::function<void()> wake) = 0;
  virtual void end_stream() = 0;
  // The same with last words, which are sent however full the queue is.
  virtual void end_with(std::string last) {
    static_cast<void>(write(std::move(last)));
    end_stream();
  }
  // Calls `beat` on the connection's thread whenever no chunk was written for `interval` and none
  // waits to be sent, until the answer is complete or the client left; from this call on. Its
  // granularity is that of the server's deadlines, a quarter of a second. Set at most once.
  virtual void on_quiet(std::chrono::milliseconds interval, std::function<void()> beat) {
    static_cast<void>(interval);
    static_cast<void>(beat);
  }

  // The next part of the body of a streamed route, unpacked; an empty one is its end. `take` is
  // called once, on the connection's thread; the bytes are valid while it runs. Nothing more than
  // one bounded window is read ahead, so who asks late slows the client down. An error says why the
  // rest will not come: fail() then answers as the server would (408, 413, …). One call at a time.
  // A reply before the end was read ends the connection behind it, and drops a waiting `take`.
  using BodyPart = std::span<const std::byte>;
  virtual void read_body(std::function<void(Result<BodyPart>)> take) {
    take(unimplemented("this body is not streamed"));
  }

  // What a long stream is told. kStalled: the client took nothing for the server's write time-out;
  // a stream that does not end now is cut when as much time has passed again. Without on_notice()
  // it is cut at once. kDraining: the server stops, and waits for the stream.
  enum class Notice : std::uint8_t { kStalled, kDraining };
  // On the connection's thread, each at most once. Set at most once.
  virtual void on_notice(std::function<void(Notice)> tell) { static_cast<void>(tell); }

  // Called once, on the connection's thread, if the client leaves before the answer is out. Set
  // before submitting.
  virtual void on_disconnect(std::function<void()> callback) = 0;
};

// The shape of errors in one API: writes the body for an HTTP status, a public text and the id of
// the request, which is empty for what was refused before one was read.
using ErrorBody =
    std::function<std::string(int http_status, const Status& status, std::string_view request_id)>;

// kBuffered: the handler is called with the whole body. kStreamed: it is called when the header is
// complete; request().body is empty, and it takes the body with read_body(). kUpgraded: the same
// for a request without a body; after begin_stream() with a 101 read_body() gives whatever the
// client sends, without an end, and what is written goes out as it is. Any other answer ends the
// connection.
enum class BodyMode : std::uint8_t { kBuffered, kStreamed, kUpgraded };

// A parameter of a route that is not in its path, for /openapi.json. All text is static.
struct RouteParameter {
  std::string_view name;
  std::string_view in;           // "query" or "header"
  std::string_view description;  // one sentence; empty where the name says it all
  std::string_view schema;       // JSON Schema
  bool required = false;
};

// One body that routes name as their request or their answer. All text is static.
struct Schema {
  std::string_view name;
  std::string_view media_type;
  bool binary_form;       // may be followed by binary tensors, as application/octet-stream
  std::string_view text;  // JSON Schema 2020-12, as OpenAPI 3.1 has it
};

// One route of an API.
struct Route {
  Method method = Method::kGet;
  std::string_view pattern;  // static text: "/v2/models/{model}/versions/{version}/infer";
                             // "{model}" takes one segment
  Scope scope = Scope::kRead;
  std::string_view api;      // static text, for the record
  std::string_view summary;  // static text, for /openapi.json
  std::function<void(std::shared_ptr<Exchange>)>
      handler;                       // called on the connection's io thread; must not block
  std::size_t body_bytes_limit = 0;  // 0: the server's
  std::string_view request_schema;  // name of a schema in openapi's components; empty: no JSON body
  std::string_view response_schema;  // the same for the answer of a success
  BodyMode body = BodyMode::kBuffered;
  int success_status = 200;
  std::span<const RouteParameter> parameters = {};  // static
  bool described = true;               // false: another address of a route that /openapi.json has
  std::string_view event_schema = {};  // of each event, where the answer may be a stream of them
};

// A mounted API: its routes and how its errors look. The mount point is a prefix, "" for the bare
// paths it owns.
struct Api {
  std::string_view name;  // static text
  std::string prefix;
  std::vector<Route> routes;
  ErrorBody error_body;
  std::string_view error_schema = "Error";  // name of the schema of its errors
  std::span<const Schema> schemas = {};     // static; what its routes name beside the common ones
  // Static; under which every answer, also of an error, says the request's id beside x-request-id.
  // Empty: no other.
  std::string_view request_id_header = {};
};

}  // namespace cortex::frontend
