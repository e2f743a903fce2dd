// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/status.h"
#include "request/response_stream.h"

namespace cortex {

// Everything worth knowing about one request, emitted once at its very end, after the last byte of
// the answer or the loss of the client. Metrics, the access log and whatever comes later (inference
// log, rollouts, cost) read this and nothing else.
struct RequestRecord {
  std::string request_id;
  std::string_view api;     // "oip", "openai", "admin"; static text
  std::string_view route;   // the pattern, "/v2/models/{model}/infer"; static text
  std::string_view method;  // static text
  int http_status = 0;      // 0 when the client left before an answer
  Status status;
  std::string tenant;
  std::string key;
  ModelIdentity model;  // empty where no model was asked
  std::string_view arm = "default";
  Timings timings;
  Duration total{};
  std::uint64_t request_bytes = 0;
  std::uint64_t response_bytes = 0;
};

// Thread-safe; called on the thread that ended the request, so it must be quick.
class RecordSink {
 public:
  virtual ~RecordSink() = default;
  virtual void record(const RequestRecord& record) = 0;
};

}  // namespace cortex
