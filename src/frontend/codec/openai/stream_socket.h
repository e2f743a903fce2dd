// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>

#include "base/clock.h"
#include "frontend/codec/streamed_call.h"
#include "frontend/http/exchange.h"
#include "request/request_record.h"

namespace cortex::frontend::openai {

struct StreamSocketOptions {
  std::size_t generations_max = 16;          // of one socket at a time
  std::size_t message_bytes_max = 1u << 20;  // of the client
  // Of silence of ours until a ping goes out; after two without a sign of life the socket ends.
  std::chrono::milliseconds ping_interval{20'000};
  std::chrono::milliseconds idle_timeout{300'000};  // without a generation or a message
  RecordSink* records = nullptr;                    // of generations; null: nobody's
  const Clock* clock = &steady_clock();
};

// Starts one generation: its exchange has the body of a chat completion, and is answered by
// submit_streamed with a writer of socket_writer().
using StartGeneration =
    std::function<void(std::shared_ptr<Exchange> generation, const std::string& id)>;

// Makes a WebSocket of an exchange of a BodyMode::kUpgraded route, and serves it until one side
// ends it: docs/streaming.md has the protocol. A request that asks for something else is answered.
// Thread: the connection's own; returns at once.
void serve_stream_socket(
    const std::shared_ptr<Exchange>& exchange, StreamSocketOptions options, StartGeneration start
);

// Writes what `events`, a writer of text/event-stream, writes as messages of generation `id`:
// "delta" for each event, and "done" or "error" at the end.
[[nodiscard]] std::unique_ptr<StreamWriter> socket_writer(
    std::unique_ptr<StreamWriter> events, std::string id
);

}  // namespace cortex::frontend::openai
