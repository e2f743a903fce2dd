// SPDX-License-Identifier: Apache-2.0
#include "frontend/http/web_socket.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstring>
#include <optional>

#include <openssl/sha.h>

#include "base/base64.h"
#include "base/check.h"

namespace cortex::frontend {
namespace {

constexpr std::string_view kKeyTail = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
constexpr std::size_t kKeyBytes = 16;
constexpr std::size_t kControlBytesMax = 125;

constexpr std::uint8_t kContinuation = 0;
constexpr std::uint8_t kTextFrame = 1;
constexpr std::uint8_t kBinaryFrame = 2;
constexpr std::uint8_t kCloseFrame = 8;
constexpr std::uint8_t kPingFrame = 9;
constexpr std::uint8_t kPongFrame = 10;

bool same_word(std::string_view a, std::string_view lower) {
  return a.size() == lower.size() &&
         std::equal(a.begin(), a.end(), lower.begin(), [](char x, char y) {
           return std::tolower(static_cast<unsigned char>(x)) == y;
         });
}

// True when a comma-separated list has the word, whatever its case.
bool lists(std::string_view list, std::string_view lower) {
  while (!list.empty()) {
    const std::size_t end = std::min(list.find(','), list.size());
    std::string_view word = list.substr(0, end);
    while (!word.empty() && (word.front() == ' ' || word.front() == '\t')) word.remove_prefix(1);
    while (!word.empty() && (word.back() == ' ' || word.back() == '\t')) word.remove_suffix(1);
    if (same_word(word, lower)) return true;
    list.remove_prefix(std::min(end + 1, list.size()));
  }
  return false;
}

std::string accept_key(std::string_view key) {
  std::string text(key);
  text.append(kKeyTail);
  std::array<unsigned char, SHA_DIGEST_LENGTH> digest{};
  SHA1(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest.data());
  std::string out;
  append_base64(out, std::as_bytes(std::span(digest)));
  return out;
}

HttpReply refuse_socket(int status, std::string_view why) {
  HttpReply reply;
  reply.status = status;
  reply.body = R"({"error":{"message":")";
  reply.body.append(why).append(
      R"(","type":"invalid_request_error","param":null,"code":"invalid_argument"}})"
  );
  return reply;
}

void append_head(std::string& out, std::uint8_t opcode, std::size_t size) {
  out.push_back(static_cast<char>(0x80 | opcode));
  if (size <= kControlBytesMax) {
    out.push_back(static_cast<char>(size));
    return;
  }
  const int bytes = size <= 0xFFFF ? 2 : 8;
  out.push_back(static_cast<char>(bytes == 2 ? 126 : 127));
  for (int i = bytes - 1; i >= 0; --i) {
    out.push_back(static_cast<char>(static_cast<std::uint64_t>(size) >> (8 * i) & 0xFF));
  }
}

std::uint8_t opcode_of(FrameKind kind) {
  switch (kind) {
    case FrameKind::kText:
      return kTextFrame;
    case FrameKind::kBinary:
      return kBinaryFrame;
    case FrameKind::kPing:
      return kPingFrame;
    case FrameKind::kPong:
      break;
  }
  return kPongFrame;
}

}  // namespace

HttpReply accept_web_socket(const HttpRequest& request) {
  if (request.method != Method::kGet || !same_word(request.header("upgrade"), "websocket") ||
      !lists(request.header("connection"), "upgrade")) {
    HttpReply reply = refuse_socket(426, "this path speaks WebSocket: ask for an upgrade");
    reply.headers.emplace_back("Upgrade", "websocket");
    return reply;
  }
  if (request.header("sec-websocket-version") != "13") {
    HttpReply reply = refuse_socket(426, "only version 13 of WebSocket is spoken here");
    reply.headers.emplace_back("Sec-WebSocket-Version", "13");
    return reply;
  }
  const std::string_view key = request.header("sec-websocket-key");
  const std::optional<std::string> bytes = base64_bytes(key);
  if (!bytes || bytes->size() != kKeyBytes) {
    return refuse_socket(400, "Sec-WebSocket-Key must be 16 bytes in base64");
  }
  HttpReply reply;
  reply.status = 101;
  reply.headers.emplace_back("Upgrade", "websocket");
  reply.headers.emplace_back("Connection", "Upgrade");
  reply.headers.emplace_back("Sec-WebSocket-Accept", accept_key(key));
  return reply;
}

void append_frame(std::string& out, FrameKind kind, std::string_view content) {
  const bool control = kind == FrameKind::kPing || kind == FrameKind::kPong;
  CHECK(!control || content.size() <= kControlBytesMax, "control frames are short");
  append_head(out, opcode_of(kind), content.size());
  out.append(content);
}

void append_close_frame(std::string& out, CloseCode code, std::string_view reason) {
  reason = reason.substr(0, kControlBytesMax - 2);
  const auto number = static_cast<std::uint16_t>(code);
  append_head(out, kCloseFrame, reason.size() + 2);
  out.push_back(static_cast<char>(number >> 8));
  out.push_back(static_cast<char>(number & 0xFF));
  out.append(reason);
}

void FrameReader::add(std::span<const std::byte> bytes) {
  if (ended_) return;
  if (begin_ > 0) waiting_.erase(0, std::exchange(begin_, 0));
  waiting_.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

bool FrameReader::fail(CloseCode code, std::string_view reason) {
  fault_ = {code, reason};
  ended_ = true;
  faulty_ = true;
  return false;
}

bool FrameReader::read_head(Head& head) {
  const std::size_t have = waiting_.size() - begin_;
  const auto at = [this](std::size_t i) { return static_cast<std::uint8_t>(waiting_[begin_ + i]); };
  if (have < 2) return false;
  head.last = (at(0) & 0x80) != 0;
  head.opcode = at(0) & 0x0F;
  if ((at(0) & 0x70) != 0) {
    return fail(CloseCode::kProtocolError, "a bit is set that no extension was agreed on for");
  }
  if ((at(1) & 0x80) == 0) return fail(CloseCode::kProtocolError, "frames of clients are masked");
  head.size = at(1) & 0x7F;
  std::size_t more = 0;
  if (head.size > kControlBytesMax) more = head.size == 126 ? 2 : 8;
  head.head_bytes = 2 + more + 4;
  if (have < head.head_bytes) return false;
  if (more > 0) head.size = 0;
  for (std::size_t i = 0; i < more; ++i) head.size = head.size << 8 | at(2 + i);
  const std::uint64_t least = more == 0 ? 0 : more == 2 ? kControlBytesMax + 1 : 0x10000;
  if (head.size < least || head.size >> 63 != 0) {
    return fail(CloseCode::kProtocolError, "a length is not in its shortest form");
  }
  for (std::size_t i = 0; i < 4; ++i) head.mask[i] = at(2 + more + i);
  return is_allowed(head);
}

bool FrameReader::is_allowed(const Head& head) {
  if (head.opcode >= kCloseFrame) {
    if (head.opcode > kPongFrame) return fail(CloseCode::kProtocolError, "no such kind of frame");
    if (!head.last || head.size > kControlBytesMax) {
      return fail(CloseCode::kProtocolError, "control frames are short and whole");
    }
    return true;
  }
  if (head.opcode > kBinaryFrame) return fail(CloseCode::kProtocolError, "no such kind of frame");
  if ((head.opcode == kContinuation) != (message_kind_ != 0)) {
    return fail(CloseCode::kProtocolError, "fragments belong to one message");
  }
  if (head.size > message_bytes_max_ - message_.size()) {
    return fail(CloseCode::kTooBig, "the message is too big");
  }
  return true;
}

void FrameReader::unmask_to(std::string& out, const Head& head) {
  const std::size_t start = out.size();
  const auto size = static_cast<std::size_t>(head.size);
  out.append(waiting_, begin_ + head.head_bytes, size);
  for (std::size_t i = 0; i < size; ++i) {
    out[start + i] =
        static_cast<char>(static_cast<std::uint8_t>(out[start + i]) ^ head.mask[i % 4]);
  }
  begin_ += head.head_bytes + size;
}

FrameReader::Event FrameReader::next() {
  if (std::exchange(clear_message_, false)) message_.clear();
  while (!ended_) {
    Head head;
    if (!read_head(head)) break;
    if (waiting_.size() - begin_ - head.head_bytes < head.size) break;
    if (head.opcode >= kCloseFrame) return on_control(head);
    if (message_kind_ == 0) message_kind_ = head.opcode;
    unmask_to(message_, head);
    if (!head.last) continue;
    content_ = message_;
    clear_message_ = true;
    return std::exchange(message_kind_, 0) == kTextFrame ? Event::kText : Event::kBinary;
  }
  return faulty_ ? Event::kFault : Event::kNeedMore;
}

FrameReader::Event FrameReader::on_control(const Head& head) {
  control_.clear();
  unmask_to(control_, head);
  content_ = control_;
  if (head.opcode == kPingFrame) return Event::kPing;
  if (head.opcode == kPongFrame) return Event::kPong;
  ended_ = true;
  if (control_.size() == 1) {
    static_cast<void>(fail(CloseCode::kProtocolError, "half a close code"));
    return Event::kFault;
  }
  return Event::kClose;
}

}  // namespace cortex::frontend
