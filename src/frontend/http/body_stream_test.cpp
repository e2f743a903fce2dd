// SPDX-License-Identifier: Apache-2.0
// Bodies that handlers take in parts, over a real connection.
#include "frontend/http/body_stream.h"

#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdio>
#include <fstream>
#include <future>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "frontend/http/testing/test_client.h"
#include "frontend/http/testing/test_server.h"

namespace cortex::frontend {
namespace {

using std::chrono::seconds;
using testing::HasSubstr;

constexpr std::size_t kMiB = 1024 * 1024;
constexpr std::size_t kWindowShare = 256 * 1024;

std::string gzip(std::string_view text) {
  z_stream stream{};
  deflateInit2(&stream, Z_BEST_SPEED, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
  std::string out(deflateBound(&stream, text.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  deflate(&stream, Z_FINISH);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

std::string head(std::string_view path, std::string_view framing) {
  return "POST " + std::string(path) + " HTTP/1.1\r\nHost: x\r\n" + std::string(framing) +
         "\r\n\r\n";
}

std::string sized(std::string_view path, std::size_t bytes) {
  return head(path, "Content-Length: " + std::to_string(bytes));
}

std::string chunked(std::string_view body, std::size_t chunk) {
  std::string out;
  for (; !body.empty(); body.remove_prefix(std::min(chunk, body.size()))) {
    const std::string_view piece = body.substr(0, chunk);
    std::array<char, 32> size{};
    std::snprintf(size.data(), size.size(), "%zx\r\n", piece.size());
    out.append(size.data()).append(piece).append("\r\n");
  }
  return out + "0\r\n\r\n";
}

std::string pattern(std::size_t bytes) {
  std::string text(bytes, '\0');
  for (std::size_t i = 0; i < bytes; ++i)
    text[i] = static_cast<char>('a' + (i * 31 + i / 977) % 26);
  return text;
}

std::size_t resident_bytes() {
  std::ifstream file("/proc/self/statm");
  std::size_t total = 0;
  std::size_t resident = 0;
  file >> total >> resident;
  return resident * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

// Reads one part from the test's thread.
Result<std::string> read_part(const std::shared_ptr<Exchange>& exchange) {
  auto got = std::make_shared<std::promise<Result<std::string>>>();
  auto future = got->get_future();
  exchange->read_body([got](const Result<Exchange::BodyPart>& part) {
    if (!part.ok()) return got->set_value(part.status());
    const auto bytes = part.value();
    got->set_value(std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
  });
  if (future.wait_for(seconds(10)) != std::future_status::ready) return unavailable("no part came");
  return future.get();
}

TEST(BodyStream, two_hundred_megabytes_pass_through_a_bounded_window) {
  HttpServerOptions options;
  options.body_bytes_limit = 300 * kMiB;
  options.body_budget_bytes = kMiB;
  TestServer server(options);
  TestClient client(server.port());
  const std::string piece(kMiB, 'x');
  client.send(sized("/count", 200 * kMiB));
  ASSERT_TRUE(client.send(piece));
  const std::size_t before = resident_bytes();
  for (int i = 1; i < 200; ++i) {
    ASSERT_TRUE(client.send(piece));
    ASSERT_LE(server.server().counts().body_budget_used, kWindowShare);
  }
  EXPECT_EQ(client.read_answer().body, std::to_string(200 * kMiB));
  EXPECT_LT(resident_bytes(), before + 50 * kMiB);
  EXPECT_TRUE(eventually([&] { return server.server().counts().body_budget_used == 0; }));
  client.send(get("/hello"));
  EXPECT_EQ(client.read_answer().body, "hello");
  const auto records = server.records().wait_for(1);
  EXPECT_GE(records.at(0).request_bytes, 200 * kMiB);
}

TEST(BodyStream, a_handler_that_does_not_read_slows_the_client_down) {
  TestServer server;
  TestClient client(server.port());
  client.send(sized("/window", 2000));
  const auto exchange = server.shelf().take();
  client.send(std::string(1000, 'a'));
  EXPECT_EQ(read_part(exchange).value(), std::string(1000, 'a'));
  const auto before = server.server().counts().bytes_in;
  client.send(std::string(1000, 'b'));
  ASSERT_TRUE(eventually([&] { return server.server().counts().bytes_in > before; }));
  server.clock().advance(seconds(500));
  EXPECT_EQ(read_part(exchange).value(), std::string(1000, 'b'));
  EXPECT_TRUE(read_part(exchange).value().empty());
  exchange->reply(HttpReply());
  EXPECT_EQ(client.read_answer().status, 200);
}

TEST(BodyStream, unread_bytes_stay_with_the_client) {
  TestServer server;
  TestClient client(server.port());
  client.send(sized("/window", 60 * kMiB));
  const auto exchange = server.shelf().take();
  auto sender = std::async(std::launch::async, [&] {
    const std::string piece(kMiB, 'x');
    for (int i = 0; i < 60; ++i) client.send(piece);
  });
  std::size_t read = 0;
  std::size_t ahead = 0;
  while (read < 60 * kMiB) {
    const auto part = read_part(exchange);
    ASSERT_TRUE(part.ok());
    ASSERT_FALSE(part.value().empty());
    read += part.value().size();
    ahead = std::max<std::size_t>(ahead, server.server().counts().bytes_in - read);
  }
  sender.get();
  EXPECT_LE(ahead, 66'000U);
  EXPECT_TRUE(read_part(exchange).value().empty());
  exchange->reply(HttpReply());
  EXPECT_EQ(client.read_answer().header("connection"), "");
}

TEST(BodyStream, chunks_of_any_size_come_whole_and_leave_the_connection_open) {
  TestServer server;
  TestClient client(server.port());
  for (const std::size_t chunk : {1U, 7U, 4096U, 300'000U}) {
    const std::string body = pattern(chunk == 1 ? 3000 : 700'000);
    client.send(head("/repeat", "Transfer-Encoding: chunked") + chunked(body, chunk));
    EXPECT_EQ(client.read_answer().body, body) << chunk;
  }
  EXPECT_EQ(server.server().counts().accepted, 1U);
}

TEST(BodyStream, gzip_is_unpacked_as_it_comes) {
  TestServer server;
  TestClient client(server.port());
  const std::string body = pattern(900'000) + std::string(5'000'000, 'z');
  const std::string packed = gzip(body);
  client.send(
      head("/count", "Content-Encoding: gzip\r\nContent-Length: " + std::to_string(packed.size())) +
      packed
  );
  EXPECT_EQ(client.read_answer().body, std::to_string(body.size()));
  client.send(
      head("/count", "Content-Encoding: gzip\r\nTransfer-Encoding: chunked") + chunked(packed, 5000)
  );
  EXPECT_EQ(client.read_answer().body, std::to_string(body.size()));
  const std::string half = packed.substr(0, packed.size() / 2);
  client.send(
      head("/count", "Content-Encoding: gzip\r\nContent-Length: " + std::to_string(half.size())) +
      half
  );
  EXPECT_EQ(client.read_answer().status, 400);
  EXPECT_TRUE(client.is_closed());
}

TEST(BodyStream, an_empty_body_ends_at_once) {
  TestServer server;
  TestClient client(server.port());
  client.send(post("/count", "") + head("/count", "Transfer-Encoding: chunked") + "0\r\n\r\n");
  EXPECT_EQ(client.read_answer().body, "0");
  EXPECT_EQ(client.read_answer().body, "0");
}

TEST(BodyStream, one_over_the_limit_is_a_413_known_or_found_out) {
  HttpServerOptions options;
  options.body_bytes_limit = 100'000;
  TestServer server(options);
  const std::string large(100'001, 'x');
  const std::string packed = gzip(large);
  for (const std::string& request :
       {sized("/count", large.size()),
        head("/count", "Transfer-Encoding: chunked") + chunked(large, 9000),
        head(
            "/count", "Content-Encoding: gzip\r\nContent-Length: " + std::to_string(packed.size())
        ) + packed}) {
    TestClient client(server.port());
    client.send(request);
    const auto answer = client.read_answer();
    EXPECT_EQ(answer.status, 413);
    EXPECT_THAT(answer.body, HasSubstr("100000"));
    EXPECT_EQ(answer.header("connection"), "close");
  }
  TestClient client(server.port());
  client.send(post("/count", large.substr(1)));
  EXPECT_EQ(client.read_answer().body, "100000");
  EXPECT_EQ(server.server().counts().body_budget_used, 0U);
}

TEST(BodyStream, a_window_beyond_the_budget_is_a_503) {
  HttpServerOptions options;
  options.body_budget_bytes = kWindowShare;
  TestServer server(options);
  TestClient first(server.port());
  first.send(sized("/window", kMiB));
  const auto held = server.shelf().take();
  TestClient second(server.port());
  second.send(sized("/count", kMiB));
  EXPECT_EQ(second.read_answer().status, 503);
  held->fail(unavailable("enough"));
}

TEST(BodyStream, an_early_answer_closes_the_connection) {
  TestServer server;
  TestClient client(server.port());
  client.send(sized("/early", 10 * kMiB));
  client.send(std::string(kMiB, 'x'));
  const auto answer = client.read_answer();
  EXPECT_EQ(answer.body, "early");
  EXPECT_EQ(answer.header("connection"), "close");
  EXPECT_TRUE(client.is_closed());
}

TEST(BodyStream, a_client_that_waits_to_be_asked_is_asked_by_the_first_read) {
  TestServer server;
  TestClient client(server.port());
  client.send(head("/count", "Expect: 100-continue\r\nContent-Length: 3"));
  EXPECT_EQ(client.read_answer().status, 100);
  client.send("abc");
  EXPECT_EQ(client.read_answer().body, "3");
  client.send(head("/early", "Expect: 100-continue\r\nContent-Length: 3"));
  EXPECT_EQ(client.read_answer().status, 200);
  EXPECT_TRUE(client.is_closed());
}

TEST(BodyStream, is_repeated_to_a_slow_reader_without_loss) {
  HttpServerOptions options;
  options.stream_queue_bytes = 100'000;
  TestServer server(options);
  TestClient client(server.port());
  const std::string body = pattern(20 * kMiB);
  client.send(sized("/repeat", body.size()));
  std::atomic<std::size_t> sent{0};
  auto sender = std::async(std::launch::async, [&] {
    for (std::size_t at = 0; at < body.size(); at += kMiB) {
      client.send(std::string_view(body).substr(at, kMiB));
      sent = at + kMiB;
    }
  });
  // With nobody reading the answer, what the kernel holds fills up and the body stands still.
  ASSERT_TRUE(eventually([&] { return sent > 0; }));
  EXPECT_LE(server.server().counts().body_budget_used, kWindowShare);
  EXPECT_EQ(client.read_answer().body, body);
  sender.get();
  client.send(get("/hello"));
  EXPECT_EQ(client.read_answer().body, "hello");
}

}  // namespace
}  // namespace cortex::frontend
