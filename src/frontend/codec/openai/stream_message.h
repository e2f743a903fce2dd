// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/status.h"
#include "request/buffer.h"

namespace cortex::frontend::openai {

inline constexpr std::size_t kStreamIdBytesMax = 128;

// What a client says on the WebSocket /v1/stream.
struct StreamMessage {
  enum class Kind : std::uint8_t { kGenerate, kCancel, kPing };
  Kind kind = Kind::kPing;
  std::string id;  // of the generation; of a ping where it has one
  // Of kGenerate: how long the client waits for its end; 0: no bound. What kTimeoutHeader says of
  // an HTTP request.
  std::chrono::milliseconds timeout{0};
  // Of kGenerate: the body of a streamed chat completion, which is the message without `type`, `id`
  // and `timeout_ms`.
  std::shared_ptr<const Buffer> body;
};

// Reads a message that is followed by Buffer::kPadding readable bytes. kInvalidArgument names the
// field at fault; the id is set then, too, if it could be read.
[[nodiscard]] Status read_stream_message(std::string_view padded_text, StreamMessage& out);

}  // namespace cortex::frontend::openai
