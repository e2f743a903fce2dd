// SPDX-License-Identifier: Apache-2.0
#include "frontend/codec/openai/stream_message.h"

#include <cstring>
#include <utility>

#include "base/json_text.h"
#include "frontend/codec/detail/hot_json.h"
#include "frontend/codec/detail/request_fields.h"
#include "frontend/http/exchange.h"

namespace cortex::frontend::openai {
namespace {

namespace ondemand = simdjson::ondemand;

struct MessageDraft {
  std::string type;
  bool has_id = false;
  bool has_timeout = false;
  std::string body = R"({"stream":true)";
};

Status read_id(ondemand::value value, MessageDraft& draft, std::string& id) {
  std::string_view text;
  const Status status = read_string(value, "id", text);
  if (!status.ok()) return status.with_field("id");
  if (text.empty() || text.size() > kStreamIdBytesMax) {
    return field_error("id", "a string of 1 to 128 bytes");
  }
  if (std::exchange(draft.has_id, true)) return field_error("id", "there once");
  id = text;
  return {};
}

Status read_type(ondemand::value value, MessageDraft& draft) {
  std::string_view text;
  const Status status = read_string(value, "type", text);
  if (!status.ok()) return status.with_field("type");
  if (!draft.type.empty()) return field_error("type", "there once");
  draft.type = text;
  return {};
}

Status read_timeout(ondemand::value value, MessageDraft& draft, StreamMessage& out) {
  bool null = false;
  if (const auto error = value.is_null().get(null)) return malformed_json(error);
  if (null) return {};
  std::int64_t count = 0;
  CORTEX_RETURN_IF_ERROR(read_between(value, "timeout_ms", {0, kTimeoutMsMax}, count));
  if (std::exchange(draft.has_timeout, true)) return field_error("timeout_ms", "there once");
  out.timeout = std::chrono::milliseconds(count);
  return {};
}

Status take_field(
    std::string_view key, ondemand::value value, MessageDraft& draft, StreamMessage& out
) {
  if (key == "type") return read_type(value, draft);
  if (key == "id") return read_id(value, draft, out.id);
  if (key == "timeout_ms") return read_timeout(value, draft, out);
  const std::string name(key);  // reading goes on over it
  std::string_view text;
  CORTEX_RETURN_IF_ERROR(read_json(value, text));
  // Every generation here is a stream.
  if (name == "stream") return {};
  draft.body.push_back(',');
  append_json_string(draft.body, name);
  draft.body.append(":").append(text);
  return {};
}

}  // namespace

Status read_stream_message(std::string_view padded_text, StreamMessage& out) {
  MessageDraft draft;
  {
    HotJson json(padded_text);
    ondemand::object object;
    CORTEX_RETURN_IF_ERROR(json.object(object));
    CORTEX_RETURN_IF_ERROR(for_each_field(object, [&](std::string_view key, ondemand::value value) {
      return take_field(key, value, draft, out);
    }));
    CORTEX_RETURN_IF_ERROR(json.at_end());
  }
  if (draft.type == "ping") {
    out.kind = StreamMessage::Kind::kPing;
    return {};
  }
  if (draft.type != "generate" && draft.type != "cancel") {
    return field_error("type", "\"generate\", \"cancel\" or \"ping\"");
  }
  if (!draft.has_id) return field_error("id", "a string of 1 to 128 bytes");
  if (draft.type == "cancel") {
    out.kind = StreamMessage::Kind::kCancel;
    return {};
  }
  out.kind = StreamMessage::Kind::kGenerate;
  draft.body.push_back('}');
  auto body = Buffer::make(draft.body.size());
  std::memcpy(body->data(), draft.body.data(), draft.body.size());
  out.body = std::move(body);
  return {};
}

}  // namespace cortex::frontend::openai
