// SPDX-License-Identifier: Apache-2.0
#include "frontend/http/reply_head.h"

#include <gtest/gtest.h>

#include "frontend/http/out_queue.h"

namespace cortex::frontend {
namespace {

TEST(ReplyHead, writes_status_framing_and_fields) {
  HttpReply reply;
  reply.headers.emplace_back("Allow", "GET");
  ReplyFrame frame;
  frame.body_bytes = 12;
  frame.server = "cortex";
  frame.date = "now";
  frame.request_id = "id";
  std::string head;
  append_reply_head(head, reply, frame);
  EXPECT_EQ(
      head,
      "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 12\r\nAllow: GET\r\n"
      "x-request-id: id\r\nDate: now\r\nServer: cortex\r\n\r\n"
  );
}

TEST(ReplyHead, a_value_never_becomes_a_header_of_its_own) {
  HttpReply reply;
  reply.headers.emplace_back("X-Text", std::string("a\r\nSet-Cookie: b\0c", 18));
  std::string head;
  append_reply_head(head, reply, {});
  EXPECT_NE(head.find("X-Text: a  Set-Cookie: b c\r\n"), std::string::npos);
}

TEST(ReplyHead, answers_without_a_body_carry_no_length) {
  HttpReply reply;
  reply.status = 204;
  std::string head;
  append_reply_head(head, reply, {});
  EXPECT_EQ(head, "HTTP/1.1 204 No Content\r\n\r\n");
}

TEST(ReplyHead, dates_are_those_of_rfc_9110) {
  EXPECT_EQ(http_date(784111777), "Sun, 06 Nov 1994 08:49:37 GMT");
}

TEST(OutQueue, lets_go_of_pieces_as_they_are_sent) {
  OutQueue queue;
  auto text = std::make_shared<const std::string>("segment");
  queue.push("head");
  queue.push(Segment{std::as_bytes(std::span(*text)), text});
  queue.push(std::string());
  EXPECT_EQ(queue.bytes(), 11U);
  std::array<std::span<const std::byte>, 4> pieces;
  EXPECT_EQ(queue.gather(pieces), 2U);
  queue.consume(5);
  EXPECT_EQ(queue.gather(pieces), 1U);
  EXPECT_EQ(pieces[0].data(), reinterpret_cast<const std::byte*>(text->data()) + 1);
  EXPECT_EQ(text.use_count(), 2);
  queue.consume(6);
  EXPECT_TRUE(queue.empty());
  EXPECT_EQ(text.use_count(), 1);
}

}  // namespace
}  // namespace cortex::frontend
