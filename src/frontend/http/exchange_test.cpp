// SPDX-License-Identifier: Apache-2.0
// Exchanges as handlers use them, over a real connection.
#include "frontend/http/exchange.h"

#include <algorithm>
#include <atomic>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "frontend/http/testing/test_client.h"
#include "frontend/http/testing/test_server.h"

namespace cortex::frontend {
namespace {

using std::chrono::milliseconds;
using testing::HasSubstr;

TEST(Exchange, errors_of_handlers_take_their_status_from_the_table) {
  TestServer server;
  TestClient client(server.port());
  client.send(post("/park", ""));
  server.shelf().take()->fail(resource_exhausted("queue full").with_retry_after(milliseconds(1500))
  );
  const auto full = client.read_answer();
  EXPECT_EQ(full.status, 429);
  EXPECT_EQ(full.header("retry-after"), "2");
  EXPECT_EQ(full.body, R"({"text":"queue full"})");
  client.send(post("/park", ""));
  server.shelf().take()->fail(internal("the secret cause"));
  const auto fault = client.read_answer();
  EXPECT_EQ(fault.status, 500);
  EXPECT_THAT(fault.body, testing::Not(HasSubstr("secret")));
}

TEST(Exchange, a_handler_that_lets_go_is_a_500) {
  TestServer server;
  TestClient client(server.port());
  client.send(get("/drop"));
  EXPECT_EQ(client.read_answer().status, 500);
  client.send(get("/hello"));
  EXPECT_EQ(client.read_answer().status, 200);
}

TEST(Exchange, work_posted_from_another_thread_may_reply) {
  TestServer server;
  TestClient client(server.port());
  client.send(post("/park", "x") + get("/m/next"));
  const auto exchange = server.shelf().take();
  exchange->post([exchange] {
    HttpReply reply;
    reply.body = "posted";
    exchange->reply(std::move(reply));
  });
  EXPECT_EQ(client.read_answer().body, "posted");
  EXPECT_EQ(client.read_answer().body, "next");
}

TEST(Exchange, streams_an_answer_in_chunks) {
  TestServer server;
  TestClient client(server.port());
  client.send(post("/park", "") + get("/hello"));
  const auto exchange = server.shelf().take();
  HttpReply head;
  head.content_type = "text/event-stream";
  exchange->begin_stream(std::move(head));
  EXPECT_TRUE(exchange->write("one "));
  EXPECT_TRUE(exchange->write("two"));
  exchange->end_stream();
  const auto answer = client.read_answer();
  EXPECT_EQ(answer.header("transfer-encoding"), "chunked");
  EXPECT_EQ(answer.body, "one two");
  EXPECT_EQ(client.read_answer().body, "hello");
}

TEST(Exchange, a_slow_reader_of_a_stream_fills_a_bounded_queue) {
  TestServer server;
  TestClient client(server.port());
  client.send(post("/park", "", "Connection: close\r\n"));
  const auto exchange = server.shelf().take();
  exchange->begin_stream(HttpReply());
  const std::string chunk(100'000, 'Z');
  std::size_t written = 0;
  const bool full = eventually([&] {
    if (!exchange->write(chunk)) return true;
    written += chunk.size();
    return false;
  });
  ASSERT_TRUE(full);
  std::atomic<bool> woken{false};
  exchange->on_writable([&] { woken = true; });
  std::string read;
  while (!woken) read += client.read_some(1 << 20);
  EXPECT_TRUE(exchange->write("end"));
  exchange->end_stream();
  read += client.read_all();
  EXPECT_EQ(std::count(read.begin(), read.end(), 'Z'), static_cast<long>(written));
  EXPECT_TRUE(read.ends_with("3\r\nend\r\n0\r\n\r\n"));
}

TEST(Exchange, a_quiet_stream_is_told_so_again_and_again) {
  TestServer server;
  TestClient client(server.port());
  client.send(post("/park", "", "Connection: close\r\n"));
  const auto exchange = server.shelf().take();
  exchange->begin_stream(HttpReply());
  std::atomic<int> beats{0};
  std::atomic<bool> armed{false};
  exchange->on_quiet(std::chrono::seconds(15), [&, raw = exchange.get()] {
    static_cast<void>(raw->write("."));
    ++beats;  // behind the write, from which the next interval counts
  });
  exchange->post([&] { armed = true; });
  ASSERT_TRUE(eventually([&] { return armed.load(); }));
  server.clock().advance(std::chrono::seconds(14));
  EXPECT_EQ(beats, 0);
  for (const int expected : {1, 2}) {
    server.clock().advance(std::chrono::seconds(15));
    ASSERT_TRUE(eventually([&] { return beats == expected; }));
  }
  exchange->end_stream();
  EXPECT_TRUE(client.read_all().ends_with("1\r\n.\r\n1\r\n.\r\n0\r\n\r\n"));
}

TEST(Exchange, a_stream_that_is_let_go_is_cut_not_ended) {
  TestServer server;
  TestClient client(server.port());
  client.send(post("/park", ""));
  auto exchange = server.shelf().take();
  exchange->begin_stream(HttpReply());
  EXPECT_TRUE(exchange->write("half"));
  exchange.reset();
  EXPECT_THAT(client.read_answer().body, HasSubstr("<cut>"));
}

HttpReply head_of(std::uint64_t bytes) {
  HttpReply head;
  head.stream_bytes = bytes;
  return head;
}

TEST(Exchange, a_stream_of_known_length_is_sent_without_chunks) {
  TestServer server;
  TestClient client(server.port());
  client.send(post("/park", "") + post("/park", "") + get("/hello"));
  auto exchange = server.shelf().take();
  exchange->begin_stream(head_of(7));
  EXPECT_TRUE(exchange->write("one "));
  EXPECT_TRUE(exchange->write("two"));
  exchange->end_stream();
  const auto answer = client.read_answer();
  EXPECT_EQ(answer.header("content-length"), "7");
  EXPECT_EQ(answer.header("transfer-encoding"), "");
  EXPECT_EQ(answer.body, "one two");
  exchange = server.shelf().take();
  exchange->begin_stream(head_of(0));
  exchange->end_stream();
  EXPECT_EQ(client.read_answer().header("content-length"), "0");
  EXPECT_EQ(client.read_answer().body, "hello");
}

TEST(Exchange, a_stream_that_ends_before_its_length_is_cut) {
  TestServer server;
  TestClient client(server.port());
  client.send(post("/park", ""));
  const auto exchange = server.shelf().take();
  exchange->begin_stream(head_of(100));
  EXPECT_TRUE(exchange->write("half"));
  exchange->end_stream();
  EXPECT_EQ(client.read_answer().body, "half");
  EXPECT_TRUE(client.is_closed());
  const auto records = server.records().wait_for(1);
  ASSERT_EQ(records.size(), 1U);
  EXPECT_EQ(records[0].status.code(), Code::kInternal);
}

TEST(Exchange, a_client_of_http_1_0_keeps_its_connection_over_a_stream_of_known_length) {
  TestServer server;
  TestClient client(server.port());
  const std::string request =
      "POST /park HTTP/1.0\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n";
  client.send(request + request);
  for (int i = 0; i < 2; ++i) {
    const auto exchange = server.shelf().take();
    ASSERT_TRUE(exchange);
    exchange->begin_stream(head_of(3));
    EXPECT_TRUE(exchange->write("abc"));
    exchange->end_stream();
    EXPECT_EQ(client.read_answer().body, "abc");
  }
}

TEST(Exchange, a_head_request_shows_the_length_of_a_stream) {
  TestServer server;
  TestClient client(server.port());
  client.send("HEAD /parked HTTP/1.1\r\nHost: x\r\n\r\n" + get("/hello"));
  const auto exchange = server.shelf().take();
  ASSERT_TRUE(exchange);
  exchange->begin_stream(head_of(1'000'000));
  exchange->end_stream();
  EXPECT_EQ(client.read_answer(true).header("content-length"), "1000000");
  EXPECT_EQ(client.read_answer().body, "hello");
}

TEST(Exchange, a_client_that_left_cancels_its_request) {
  for (const bool reset : {false, true}) {
    TestServer server;
    TestClient client(server.port());
    client.send(post("/park", "x"));
    const auto exchange = server.shelf().take();
    std::atomic<bool> told{false};
    exchange->on_disconnect([&] { told = true; });
    EXPECT_EQ(server.server().open_exchanges(), 1U);
    if (reset) {
      client.reset();
    } else {
      client.half_close();
    }
    EXPECT_TRUE(eventually([&] { return told.load(); }));
    exchange->fail(cancelled("the client left"));
    const auto records = server.records().wait_for(1);
    ASSERT_EQ(records.size(), 1U);
    EXPECT_EQ(records[0].http_status, 0);
    EXPECT_EQ(records[0].status.code(), Code::kCancelled);
    EXPECT_TRUE(eventually([&] { return server.server().open_exchanges() == 0; }));
  }
}

}  // namespace
}  // namespace cortex::frontend
