// SPDX-License-Identifier: Apache-2.0
// Clients that are slow, silent, half-open, sliced, or gone: they hold nothing, and nobody else
// notices them.
#include <atomic>
#include <functional>
#include <future>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "frontend/http/testing/test_client.h"
#include "frontend/http/testing/test_server.h"

namespace cortex::frontend {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr const char* kHello = "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n";

bool is_served(TestServer& server) {
  TestClient client(server.port());
  client.send(kHello);
  return client.read_answer().body == "hello";
}

// Moves the clock on until the server has `open` connections left.
bool eventually_open(TestServer& server, std::size_t open, seconds step) {
  return eventually([&] {
    if (server.server().counts().open == open) return true;
    server.clock().advance(step);
    return false;
  });
}

// Sends one byte after the other, `pause` of the server's time apart, each taken before the next.
void trickle(TestServer& server, const TestClient& client, int bytes, milliseconds pause) {
  for (int i = 0; i < bytes; ++i) {
    const auto before = server.server().counts().bytes_in;
    client.send("a");
    ASSERT_TRUE(eventually([&] { return server.server().counts().bytes_in > before; }));
    server.clock().advance(pause);
  }
}

TEST(HttpClients, sixty_half_open_ones_do_not_stop_another) {
  TestServer server;
  std::vector<TestClient> clients;
  for (int i = 0; i < 60; ++i) {
    clients.emplace_back(server.port());
    if (i % 3 == 1) clients.back().send("GET / HT");
    if (i % 3 == 2)
      clients.back().send("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 50000000\r\n\r\nx");
  }
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(is_served(server));
  EXPECT_EQ(server.server().counts().body_budget_used, 0U);
  EXPECT_TRUE(eventually_open(server, 0, seconds(5)));
}

TEST(HttpClients, a_silent_one_is_closed_without_a_word) {
  TestServer server;
  TestClient client(server.port());
  ASSERT_TRUE(eventually([&] { return server.server().counts().open == 1; }));
  EXPECT_TRUE(eventually_open(server, 0, seconds(11)));
  EXPECT_TRUE(client.is_closed());
  EXPECT_EQ(server.server().counts().header_timeouts, 1U);
}

TEST(HttpClients, an_idle_one_is_closed_without_a_word) {
  TestServer server;
  TestClient client(server.port());
  client.send(kHello);
  EXPECT_EQ(client.read_answer().status, 200);
  EXPECT_TRUE(eventually_open(server, 0, seconds(76)));
  EXPECT_TRUE(client.is_closed());
  EXPECT_EQ(server.server().counts().idle_timeouts, 1U);
}

TEST(HttpClients, bytes_that_trickle_do_not_prolong_a_header) {
  TestServer server;
  TestClient client(server.port());
  client.send("GET /hello HTTP/1.1\r\nA: ");
  trickle(server, client, 6, milliseconds(2200));
  EXPECT_EQ(client.read_answer().status, 408);
  EXPECT_TRUE(is_served(server));
}

TEST(HttpClients, bytes_that_trickle_do_not_prolong_a_body) {
  TestServer server;
  TestClient client(server.port());
  client.send("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n");
  trickle(server, client, 7, milliseconds(6000));
  const auto answer = client.read_answer();
  EXPECT_EQ(answer.status, 408);
  EXPECT_EQ(answer.body, R"({"text":"the body did not arrive in time"})");
  EXPECT_EQ(server.server().counts().body_timeouts, 1U);
}

TEST(HttpClients, one_that_does_not_read_its_answer_is_dropped) {
  TestServer server;
  TestClient client(server.port());
  client.send("POST /park HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n");
  HttpReply reply;
  reply.body.assign(50'000'000, 'x');
  server.shelf().take()->reply(std::move(reply));
  EXPECT_TRUE(eventually_open(server, 0, seconds(31)));
  EXPECT_EQ(server.server().counts().write_timeouts, 1U);
  const auto records = server.records().wait_for(1);
  ASSERT_EQ(records.size(), 1U);
  EXPECT_EQ(records[0].status.code(), Code::kCancelled);
  EXPECT_LT(records[0].response_bytes, 50'000'000U);
}

TEST(HttpClients, one_that_reads_slowly_gets_the_whole_answer) {
  TestServer server;
  TestClient client(server.port());
  client.send("POST /park HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
  HttpReply reply;
  reply.body.assign(5'000'000, 'x');
  server.shelf().take()->reply(std::move(reply));
  std::size_t read = 0;
  for (;;) {
    const std::string piece = client.read_some(1'000'000);
    if (piece.empty()) break;
    read += piece.size();
    server.clock().advance(seconds(1));
  }
  EXPECT_GT(read, 5'000'000U);
}

TEST(HttpClients, requests_in_random_slices_are_all_answered) {
  TestServer server;
  for (unsigned seed = 1; seed <= 20; ++seed) {
    std::mt19937 random(seed);
    std::string bytes;
    for (int i = 0; i < 20; ++i) {
      bytes += i % 2 == 0
                   ? std::string(
                         "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
                         "4\r\nabcd\r\n0\r\n\r\n"
                     )
                   : std::string(kHello);
    }
    TestClient client(server.port());
    for (std::size_t at = 0; at < bytes.size();) {
      const std::size_t size = 1 + random() % 60;
      client.send(std::string_view(bytes).substr(at, size));
      at += size;
    }
    for (int i = 0; i < 20; ++i) {
      ASSERT_EQ(client.read_answer().body, i % 2 == 0 ? "abcd" : "hello") << "seed " << seed;
    }
  }
}

TEST(HttpClients, one_that_leaves_within_a_request_leaves_nothing_behind) {
  const std::string request = "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 400000\r\n\r\n" +
                              std::string(400'000, 'x');
  TestServer server;
  for (std::size_t size = 1; size < request.size(); size = size * 2 + 1) {
    TestClient client(server.port());
    client.send(std::string_view(request).substr(0, size));
    if (size % 3 == 0) client.reset();
  }
  EXPECT_TRUE(eventually([&] { return server.server().counts().open == 0; }));
  // A connection is counted out when its socket is closed and lets go of its body just after.
  EXPECT_TRUE(eventually([&] { return server.server().counts().body_budget_used == 0; }));
  EXPECT_EQ(server.server().open_exchanges(), 0U);
  EXPECT_TRUE(is_served(server));
}

TEST(HttpClients, one_that_leaves_within_a_stream_stops_it) {
  TestServer server;
  TestClient client(server.port());
  client.send("POST /park HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n");
  const auto exchange = server.shelf().take();
  std::atomic<bool> told{false};
  exchange->on_disconnect([&] { told = true; });
  exchange->begin_stream(HttpReply());
  EXPECT_TRUE(exchange->write("token"));
  EXPECT_FALSE(client.read_some(100).empty());
  client.reset();
  EXPECT_TRUE(eventually([&] { return told.load(); }));
  EXPECT_FALSE(exchange->write("token"));
  exchange->end_stream();
  EXPECT_EQ(server.records().wait_for(1).size(), 1U);
  EXPECT_TRUE(eventually([&] { return server.server().open_exchanges() == 0; }));
}

// What a handler hears that waits for the next part of a body.
Status fault_after(TestServer& server, TestClient& client, const std::function<void()>& cut) {
  client.send("POST /window HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n");
  const auto exchange = server.shelf().take();
  std::promise<Status> heard;
  exchange->read_body([&](const Result<Exchange::BodyPart>& part) {
    const Status status = part.ok() ? Status() : part.status();
    if (!status.ok()) exchange->fail(status);
    heard.set_value(status);
  });
  auto future = heard.get_future();
  cut();
  return future.get();
}

TEST(HttpClients, one_that_leaves_within_a_streamed_body_tells_its_handler) {
  for (const bool reset : {false, true}) {
    TestServer server;
    TestClient client(server.port());
    const Status status = fault_after(server, client, [&] {
      if (reset) return client.reset();
      client.half_close();
    });
    EXPECT_EQ(status.code(), Code::kCancelled);
    const auto records = server.records().wait_for(1);
    ASSERT_EQ(records.size(), 1U);
    EXPECT_EQ(records[0].status.code(), Code::kCancelled);
    EXPECT_TRUE(eventually([&] { return server.server().open_exchanges() == 0; }));
  }
}

TEST(HttpClients, one_that_falls_silent_within_a_streamed_body_gets_a_408) {
  TestServer server;
  TestClient client(server.port());
  std::atomic<bool> over{false};
  std::future<bool> clock;
  const Status status = fault_after(server, client, [&] {
    clock = std::async(std::launch::async, [&] {
      return eventually([&] {
        server.clock().advance(seconds(1));
        return over.load() || server.server().counts().body_timeouts > 0;
      });
    });
  });
  over = true;
  EXPECT_TRUE(clock.get());
  EXPECT_EQ(status.code(), Code::kDeadlineExceeded);
  EXPECT_EQ(client.read_answer().status, 408);
  EXPECT_EQ(server.server().counts().body_timeouts, 1U);
}

TEST(HttpClients, io_threads_share_the_connections) {
  HttpServerOptions options;
  options.io_threads = 3;
  TestServer server(options);
  std::vector<TestClient> clients;
  for (int i = 0; i < 30; ++i) clients.emplace_back(server.port());
  for (int round = 0; round < 10; ++round) {
    for (TestClient& client : clients) client.send(kHello);
    for (TestClient& client : clients) ASSERT_EQ(client.read_answer().body, "hello");
  }
  EXPECT_EQ(server.server().counts().requests, 300U);
}

}  // namespace
}  // namespace cortex::frontend
