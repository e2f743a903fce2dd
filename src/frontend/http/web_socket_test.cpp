// SPDX-License-Identifier: Apache-2.0
#include "frontend/http/web_socket.h"

#include <array>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace cortex::frontend {
namespace {

using Event = FrameReader::Event;

// A client's frame: masked. `first`: FIN, reserved bits and opcode.
std::string frame(std::uint8_t first, std::string_view content) {
  constexpr std::array<char, 4> kMask{0x11, 0x22, 0x33, 0x44};
  std::string out(1, static_cast<char>(first));
  const std::size_t size = content.size();
  if (size < 126) {
    out.push_back(static_cast<char>(0x80 | size));
  } else if (size <= 0xFFFF) {
    out.push_back(static_cast<char>(0x80 | 126));
    out.push_back(static_cast<char>(size >> 8));
    out.push_back(static_cast<char>(size & 0xFF));
  } else {
    out.push_back(static_cast<char>(0x80 | 127));
    for (int shift = 56; shift >= 0; shift -= 8) out.push_back(static_cast<char>(size >> shift));
  }
  out.append(kMask.data(), kMask.size());
  for (std::size_t i = 0; i < size; ++i) {
    out.push_back(static_cast<char>(content[i] ^ kMask[i % 4]));
  }
  return out;
}

void add(FrameReader& reader, std::string_view bytes) {
  reader.add(std::as_bytes(std::span(bytes)));
}

Event fault_of(std::string_view bytes, CloseCode code, std::size_t most = 1000) {
  FrameReader reader(most);
  add(reader, bytes);
  const Event event = reader.next();
  EXPECT_EQ(reader.fault().code, code);
  EXPECT_FALSE(reader.fault().reason.empty());
  add(reader, frame(0x81, "later"));
  EXPECT_EQ(reader.next(), Event::kFault) << "nothing after it is read";
  return event;
}

TEST(FrameReader, gives_messages_in_order) {
  FrameReader reader(1000);
  add(reader, frame(0x81, "one") + frame(0x82, "two") + frame(0x81, ""));
  EXPECT_EQ(reader.next(), Event::kText);
  EXPECT_EQ(reader.content(), "one");
  EXPECT_EQ(reader.next(), Event::kBinary);
  EXPECT_EQ(reader.content(), "two");
  EXPECT_EQ(reader.next(), Event::kText);
  EXPECT_EQ(reader.content(), "");
  EXPECT_EQ(reader.next(), Event::kNeedMore);
}

TEST(FrameReader, reads_every_form_of_length_byte_by_byte) {
  for (const std::size_t size : {0UL, 125UL, 126UL, 0xFFFFUL, 0x10000UL}) {
    const std::string content(size, 'x');
    const std::string bytes = frame(0x81, content);
    FrameReader reader(0x10000);
    for (std::size_t i = 0; i + 1 < bytes.size(); ++i) {
      add(reader, bytes.substr(i, 1));
      ASSERT_EQ(reader.next(), Event::kNeedMore) << size << " " << i;
    }
    add(reader, bytes.substr(bytes.size() - 1));
    ASSERT_EQ(reader.next(), Event::kText);
    EXPECT_EQ(reader.content(), content);
  }
}

TEST(FrameReader, joins_fragments_and_lets_control_frames_between_them) {
  FrameReader reader(10);
  add(reader, frame(0x01, "ab") + frame(0x89, "p") + frame(0x00, "") + frame(0x8A, "q"));
  EXPECT_EQ(reader.next(), Event::kPing);
  EXPECT_EQ(reader.content(), "p");
  EXPECT_EQ(reader.next(), Event::kPong);
  EXPECT_EQ(reader.next(), Event::kNeedMore);
  add(reader, frame(0x80, "cd"));
  EXPECT_EQ(reader.next(), Event::kText);
  EXPECT_EQ(reader.content(), "abcd");
}

TEST(FrameReader, a_message_has_its_limit_whole_and_in_fragments) {
  FrameReader reader(4);
  add(reader, frame(0x81, "abcd"));
  EXPECT_EQ(reader.next(), Event::kText);
  EXPECT_EQ(fault_of(frame(0x81, "abcde"), CloseCode::kTooBig, 4), Event::kFault);
  EXPECT_EQ(fault_of(frame(0x01, "abc") + frame(0x80, "de"), CloseCode::kTooBig, 4), Event::kFault);
  // Refused by its head, before anybody holds it.
  EXPECT_EQ(
      fault_of(std::string("\x81\xFF\x7F\xFF\xFF\xFF\xFF\xFF\xFF\xFF....", 14), CloseCode::kTooBig),
      Event::kFault
  );
}

TEST(FrameReader, refuses_what_the_protocol_forbids) {
  const std::vector<std::string> wrong = {
      std::string("\x81\x01x", 3),                        // not masked
      frame(0xC1, "x"),                                   // a reserved bit
      frame(0x83, "x"),                                   // kinds that there are not
      frame(0x8B, "x"),                                   //
      frame(0x80, "x"),                                   // goes on with nothing
      frame(0x01, "x") + frame(0x81, "y"),                // a message in a message
      frame(0x09, "x"),                                   // a ping in parts
      frame(0x89, std::string(126, 'x')),                 // a long ping
      frame(0x88, "x"),                                   // half a code
      std::string("\x81\xFE\x00\x05....", 8),             // not the shortest length
      std::string("\x81\xFF\x80\0\0\0\0\0\0\0....", 14),  // a length with a sign
  };
  for (const std::string& bytes : wrong) {
    EXPECT_EQ(fault_of(bytes, CloseCode::kProtocolError), Event::kFault);
  }
}

TEST(FrameReader, nothing_follows_the_clients_end) {
  FrameReader reader(1000);
  add(reader, frame(0x88, "\x03\xE8 bye") + frame(0x81, "more"));
  EXPECT_EQ(reader.next(), Event::kClose);
  EXPECT_EQ(reader.next(), Event::kNeedMore);
}

TEST(WebSocket, writes_frames_of_every_length) {
  std::string out;
  append_frame(out, FrameKind::kText, "ab");
  EXPECT_EQ(
      out,
      "\x81\x02"
      "ab"
  );
  out.clear();
  append_frame(out, FrameKind::kBinary, std::string(126, 'x'));
  EXPECT_EQ(out.substr(0, 5), std::string("\x82\x7E\x00\x7Ex", 5));
  out.clear();
  append_frame(out, FrameKind::kText, std::string(0x10000, 'x'));
  EXPECT_EQ(out.substr(0, 11), std::string("\x81\x7F\0\0\0\0\0\x01\0\0x", 11));
  out.clear();
  append_close_frame(out, CloseCode::kTooBig, std::string(200, 'r'));
  EXPECT_EQ(out.substr(0, 5), "\x88\x7D\x03\xF1r");
  EXPECT_EQ(out.size(), 127u);
}

HttpRequest upgrade() {
  HttpRequest request;
  request.headers = {
      {"connection", "keep-alive, Upgrade"},
      {"upgrade", "WebSocket"},
      {"sec-websocket-version", "13"},
      {"sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="}
  };
  return request;
}

TEST(WebSocket, accepts_with_the_digest_of_the_standard) {
  const HttpReply reply = accept_web_socket(upgrade());
  EXPECT_EQ(reply.status, 101);
  EXPECT_EQ(reply.headers.back().second, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

TEST(WebSocket, says_what_is_wrong_with_an_upgrade) {
  for (const std::size_t header : {0u, 1u, 2u}) {
    HttpRequest request = upgrade();
    request.headers[header].second = "12";
    EXPECT_EQ(accept_web_socket(request).status, 426) << header;
  }
  HttpRequest request = upgrade();
  request.method = Method::kHead;
  EXPECT_EQ(accept_web_socket(request).status, 426);
  request = upgrade();
  request.headers[3].second = "dGhlIHNhbXBsZSBub25jZ";
  EXPECT_EQ(accept_web_socket(request).status, 400);
}

}  // namespace
}  // namespace cortex::frontend
