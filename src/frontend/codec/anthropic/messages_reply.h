// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include "frontend/codec/streamed_call.h"

namespace cortex::frontend::anthropic {

// What stays the same over an answer.
struct MessagePlan {
  std::string id;     // "msg_…"
  std::string model;  // as the client named it
};

// The answer to a message, streamed and whole. A part of another kind, or of another sequence than
// the first, is kInternal.
[[nodiscard]] std::unique_ptr<StreamWriter> message_stream(MessagePlan plan);
[[nodiscard]] std::unique_ptr<PartCollector> message_collector(MessagePlan plan);

// {"type":"error","error":{"type":…,"message":…}}: the body of an error, and the event that ends a
// stream, which has no HTTP status of its own (0). The status says more than the code where a body
// was too large.
[[nodiscard]] std::string error_text(const Status& status, int http_status = 0);

}  // namespace cortex::frontend::anthropic
