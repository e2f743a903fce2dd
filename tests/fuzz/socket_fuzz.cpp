// SPDX-License-Identifier: Apache-2.0
// What a client sends on a WebSocket: however the bytes are sliced, the messages in them are the
// same; and each is read as one of /v1/stream, and what it asks for as a chat.
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "base/check.h"
#include "frontend/codec/openai/generation_call.h"
#include "frontend/codec/openai/stream_message.h"
#include "frontend/http/web_socket.h"
#include "request/buffer.h"

namespace openai = cortex::frontend::openai;

namespace {

using cortex::frontend::FrameReader;
using Event = FrameReader::Event;

constexpr std::size_t kMessageBytesMax = 4096;

void read_message(std::string_view text) {
  auto padded = cortex::Buffer::make(text.size());
  if (!text.empty()) std::memcpy(padded->data(), text.data(), text.size());
  openai::StreamMessage message;
  const cortex::Status status = openai::read_stream_message(padded->text(), message);
  CHECK(message.id.size() <= openai::kStreamIdBytesMax, "bounded");
  if (!status.ok()) {
    CHECK(status.code() == cortex::Code::kInvalidArgument, "the client's fault is named so");
    return;
  }
  const bool generate = message.kind == openai::StreamMessage::Kind::kGenerate;
  CHECK(generate == (message.body != nullptr), "what is asked for has a body");
  CHECK(message.kind == openai::StreamMessage::Kind::kPing || !message.id.empty(), "named");
  if (!generate) return;
  const auto call = openai::read_chat(message.body->text());
  CHECK(!call.ok() || call->stream, "every generation is a stream");
}

// Every message and the end as one text.
std::string read_in_slices(std::string_view bytes, std::size_t slice, bool messages) {
  FrameReader reader(kMessageBytesMax);
  std::string out;
  while (!bytes.empty()) {
    const std::string_view part = bytes.substr(0, slice);
    bytes.remove_prefix(part.size());
    reader.add(std::as_bytes(std::span(part)));
    for (;;) {
      const Event event = reader.next();
      if (event == Event::kNeedMore) break;
      out.append(std::to_string(static_cast<int>(event))).append(" ");
      if (event == Event::kFault) return out.append(reader.fault().reason);
      CHECK(reader.content().size() <= kMessageBytesMax, "a message has its limit");
      out.append(reader.content()).append("\n");
      if (messages && event == Event::kText) read_message(reader.content());
    }
  }
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  // As frames, and as the text of one message.
  const std::string whole = read_in_slices(bytes, std::max<std::size_t>(size, 1), true);
  CHECK(read_in_slices(bytes, 1, false) == whole, "slices make no difference");
  CHECK(read_in_slices(bytes, 7, false) == whole, "slices make no difference");
  read_message(bytes);
  return 0;
}
