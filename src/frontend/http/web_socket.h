// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/status.h"
#include "frontend/http/exchange.h"

namespace cortex::frontend {

// Why a WebSocket ends (RFC 6455, section 7.4); those from 4000 are ours.
enum class CloseCode : std::uint16_t {
  kNormal = 1000,
  kGoingAway = 1001,
  kProtocolError = 1002,
  kNotUnderstood = 1003,  // binary messages
  kBadText = 1007,        // not UTF-8
  kTooBig = 1009,
  kIdle = 4000,
  kSlowReader = 4001,
};

// The answer to a request that asks for a WebSocket: 101, or the refusal that says what is wrong
// with it (400; 426 for another version of the protocol).
[[nodiscard]] HttpReply accept_web_socket(const HttpRequest& request);

enum class FrameKind : std::uint8_t { kText, kBinary, kPing, kPong };

// Appends one whole message, as a server sends it. REQUIRES: at most 125 bytes of a kPing or kPong.
void append_frame(std::string& out, FrameKind kind, std::string_view content);
// The same for the frame that ends a WebSocket. `reason`: UTF-8, cut to what fits.
void append_close_frame(std::string& out, CloseCode code, std::string_view reason);

// Takes a client's bytes apart into messages, without a socket or a clock: add(), then next() until
// it says kNeedMore. Holds one message of at most `message_bytes_max` and what was added and is not
// read. One thread.
class FrameReader {
 public:
  enum class Event : std::uint8_t {
    kNeedMore,
    kText,  // content() is a whole message; whether it is UTF-8 was not looked at
    kBinary,
    kPing,  // content() is to be sent back
    kPong,
    kClose,  // the client ends; nothing may follow
    kFault,  // so does the protocol: fault() says why. Nothing more is read
  };

  explicit FrameReader(std::size_t message_bytes_max) : message_bytes_max_(message_bytes_max) {}

  void add(std::span<const std::byte> bytes);
  [[nodiscard]] Event next();

  // Valid until next().
  [[nodiscard]] std::string_view content() const { return content_; }
  struct Fault {
    CloseCode code = CloseCode::kProtocolError;
    std::string_view reason;  // static text
  };
  [[nodiscard]] const Fault& fault() const { return fault_; }

 private:
  struct Head {
    bool last = false;
    std::uint8_t opcode = 0;
    std::uint64_t size = 0;
    std::size_t head_bytes = 0;
    std::uint8_t mask[4] = {};
  };
  // False while bytes are missing, or with a fault.
  [[nodiscard]] bool read_head(Head& head);
  [[nodiscard]] bool is_allowed(const Head& head);
  [[nodiscard]] Event on_control(const Head& head);
  [[nodiscard]] bool fail(CloseCode code, std::string_view reason);
  void unmask_to(std::string& out, const Head& head);

  const std::size_t message_bytes_max_;
  std::string waiting_;
  std::size_t begin_ = 0;          // of what is not read yet
  std::string message_;            // of fragments so far
  std::uint8_t message_kind_ = 0;  // its opcode; 0: none is open
  std::string control_;
  std::string_view content_;
  bool clear_message_ = false;
  bool ended_ = false;
  bool faulty_ = false;
  Fault fault_;
};

}  // namespace cortex::frontend
