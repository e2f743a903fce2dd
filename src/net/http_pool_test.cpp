// SPDX-License-Identifier: Apache-2.0
#include "net/http_pool.h"

#include <atomic>
#include <filesystem>
#include <fstream>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/thread.h"
#include "net/testing/test_server.h"

namespace cortex::net {
namespace {

using std::chrono::milliseconds;
using testing::HasSubstr;
using Peer = TestServer::Peer;

const std::string kOk = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

// Answers every request of every connection with the same text.
void always(Peer& peer, const std::string& answer) {
  while (!peer.read_request().empty()) {
    if (!peer.send(answer)) return;
  }
}

HttpPoolOptions small() {
  HttpPoolOptions options;
  options.body_bytes_max = 1000;
  options.timeout = std::chrono::seconds(20);
  return options;
}

std::unique_ptr<HttpPool> pool_of(const HttpPoolOptions& options = small()) {
  auto pool = HttpPool::make(options);
  CHECK(pool.ok(), pool.status().to_string().c_str());
  return std::move(pool).value();
}

HttpRequest request_to(const std::string& url, std::string method = "GET") {
  HttpRequest request;
  request.method = std::move(method);
  request.url = url;
  return request;
}

TEST(HttpPool, keeps_connections_for_the_next_call) {
  TestServer server([](Peer& peer, int) { always(peer, kOk); });
  const auto pool = pool_of();
  for (int i = 0; i < 5; ++i) {
    HttpRequest request = request_to(server.url() + "/a?b=c", "POST");
    request.headers = {{"X-Mark", "m"}};
    request.body = "{}";
    const auto response = pool->send(request);
    ASSERT_TRUE(response.ok()) << response.status().to_string();
    EXPECT_EQ(response->body, "ok");
  }
  EXPECT_EQ(server.connections(), 1);
  const std::string received = server.received();
  EXPECT_THAT(received, HasSubstr("POST /a?b=c HTTP/1.1\r\nHost: 127.0.0.1:"));
  EXPECT_THAT(received, HasSubstr("X-Mark: m\r\nContent-Length: 2\r\n\r\n{}"));
}

TEST(HttpPool, sends_an_idempotent_call_again_when_the_kept_connection_was_closed) {
  std::atomic<int> requests{0};
  TestServer server([&](Peer& peer, int) {
    while (!peer.read_request().empty()) {
      // The second request of a connection is the last thing it sees.
      if (++requests % 2 == 0) return;
      peer.send(kOk);
    }
  });
  const auto pool = pool_of();
  ASSERT_TRUE(pool->send(request_to(server.url())).ok());
  EXPECT_TRUE(pool->send(request_to(server.url())).ok());
  EXPECT_EQ(requests, 3);
  const auto post = pool->send(request_to(server.url(), "POST"));
  EXPECT_EQ(post.status().code(), Code::kUnavailable);
  EXPECT_EQ(requests, 4);
}

TEST(HttpPool, streams_both_ways) {
  TestServer server([](Peer& peer, int) {
    const std::string request = peer.read_request();
    const std::string body = request.substr(request.find("\r\n\r\n") + 4);
    peer.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-A: b\r\n\r\n");
    for (std::size_t at = 0; at < body.size(); at += 100'000) {
      const std::string part = body.substr(at, 100'000);
      char size[32];
      std::snprintf(size, sizeof size, "%zx;note=x\r\n", part.size());
      peer.send(size + part + "\r\n");
    }
    peer.send("0\r\nX-Trailer: t\r\n\r\n");
  });
  const auto pool = pool_of();
  std::string sent(1'234'567, ' ');
  for (std::size_t i = 0; i < sent.size(); ++i) sent[i] = static_cast<char>('a' + i % 23);
  std::string got;
  std::size_t offset = 0;
  HttpStreams streams;
  streams.body_bytes = sent.size();
  streams.source = [&](std::span<char> into) -> Result<std::size_t> {
    const std::size_t size = std::min<std::size_t>(into.size(), 77'777);
    sent.copy(into.data(), size, offset);
    offset += size;
    return size;
  };
  streams.sink = [&](const HttpResponse& head, std::string_view bytes) -> Status {
    EXPECT_EQ(head.header("x-a"), "b");
    got.append(bytes);
    return {};
  };
  const auto response = pool->send(request_to(server.url(), "PUT"), streams);
  ASSERT_TRUE(response.ok()) << response.status().to_string();
  EXPECT_EQ(response->body, "");
  EXPECT_TRUE(got == sent);
}

TEST(HttpPool, gives_a_refusal_to_its_caller_while_the_body_is_still_on_its_way) {
  TestServer server([](Peer& peer, int) {
    peer.send("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno");
    peer.wait_for_end();
  });
  HttpStreams streams;
  streams.body_bytes = 1ull << 40;
  std::atomic<bool> sunk{false};
  streams.source = [](std::span<char> into) -> Result<std::size_t> { return into.size(); };
  streams.sink = [&](const HttpResponse&, std::string_view) -> Status {
    sunk = true;
    return {};
  };
  const auto response = pool_of()->send(request_to(server.url(), "PUT"), streams);
  ASSERT_TRUE(response.ok()) << response.status().to_string();
  EXPECT_EQ(response->status, 403);
  EXPECT_EQ(response->body, "no");
  EXPECT_FALSE(sunk);
}

TEST(HttpPool, a_head_announces_a_body_that_does_not_come) {
  TestServer server([](Peer& peer, int) {
    always(peer, "HTTP/1.1 200 OK\r\nContent-Length: 5000000\r\n\r\n");
  });
  const auto pool = pool_of();
  for (int i = 0; i < 2; ++i) {
    const auto response = pool->send(request_to(server.url(), "HEAD"));
    ASSERT_TRUE(response.ok()) << response.status().to_string();
    EXPECT_EQ(response->header("content-length"), "5000000");
    EXPECT_EQ(response->body, "");
  }
  EXPECT_EQ(server.connections(), 1);
}

TEST(HttpPool, ends_with_the_error_of_a_source_or_a_sink) {
  TestServer server([](Peer& peer, int) { always(peer, kOk); });
  const auto pool = pool_of();
  HttpStreams streams;
  streams.body_bytes = 10;
  streams.source = [](std::span<char>) -> Result<std::size_t> { return cancelled("source"); };
  EXPECT_EQ(pool->send(request_to(server.url(), "PUT"), streams).status().code(), Code::kCancelled);
  streams = {};
  streams.sink = [](const HttpResponse&, std::string_view) { return cancelled("sink"); };
  EXPECT_EQ(pool->send(request_to(server.url()), streams).status().code(), Code::kCancelled);
}

TEST(HttpPool, refuses_answers_whose_length_is_in_doubt) {
  for (const std::string head :
       {"Content-Length: 2\r\nContent-Length: 3\r\n",
        "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 2\r\n",
        "Content-Length: -2\r\n",
        "Content-Length: 0x2\r\n",
        "Content-Length: 2 2\r\n"}) {
    TestServer server([&](Peer& peer, int) {
      peer.read_request();
      peer.send("HTTP/1.1 200 OK\r\n" + head + "\r\nok");
      peer.wait_for_end();
    });
    const auto response = pool_of()->send(request_to(server.url()));
    EXPECT_EQ(response.status().code(), Code::kUnavailable) << head;
  }
}

TEST(HttpPool, notices_an_answer_that_was_cut) {
  for (const std::string text :
       {"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n64\r\nhalf",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
        "HTTP/1.1 200 OK\r\nContent-Le"}) {
    TestServer server([&](Peer& peer, int) {
      peer.read_request();
      peer.send(text);
    });
    const auto response = pool_of()->send(request_to(server.url()));
    EXPECT_EQ(response.status().code(), Code::kUnavailable) << text;
  }
}

TEST(HttpPool, does_not_keep_a_connection_on_which_more_came_than_the_answer) {
  TestServer server([](Peer& peer, int) { always(peer, kOk + kOk); });
  const auto pool = pool_of();
  ASSERT_TRUE(pool->send(request_to(server.url())).ok());
  ASSERT_TRUE(pool->send(request_to(server.url())).ok());
  EXPECT_EQ(server.connections(), 2);
}

TEST(HttpPool, passes_over_announcements_before_the_answer) {
  TestServer server([](Peer& peer, int connection) {
    peer.read_request();
    const int count = connection == 0 ? 3 : 100;
    for (int i = 0; i < count; ++i) peer.send("HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n");
    peer.send(kOk);
    peer.wait_for_end();
  });
  EXPECT_EQ(pool_of()->send(request_to(server.url()))->body, "ok");
  EXPECT_EQ(pool_of()->send(request_to(server.url())).status().code(), Code::kUnavailable);
}

TEST(HttpPool, an_endless_head_and_an_endless_chunk_line_end_at_the_limit) {
  for (const std::string start :
       {"HTTP/1.1 200 OK\r\nX: ", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;x="}) {
    TestServer server([&](Peer& peer, int) {
      peer.read_request();
      peer.send(start);
      while (peer.send(std::string(10'000, 'x'))) {
      }
    });
    const auto response = pool_of()->send(request_to(server.url()));
    ASSERT_FALSE(response.ok());
    EXPECT_EQ(response.status().code(), Code::kResourceExhausted) << response.status().to_string();
  }
}

TEST(HttpPool, a_server_that_says_nothing_ends_at_the_stall_and_one_that_drips_at_the_deadline) {
  HttpPoolOptions options = small();
  options.stall_timeout = milliseconds(50);
  TestServer silent([](Peer& peer, int) { peer.wait_for_end(); });
  EXPECT_EQ(
      pool_of(options)->send(request_to(silent.url())).status().code(), Code::kDeadlineExceeded
  );
  TestServer dripping([](Peer& peer, int) {
    peer.read_request();
    peer.send("HTTP/1.1 200 OK\r\nX: ");
    while (peer.send("x")) {
    }
  });
  options.stall_timeout = std::chrono::seconds(20);
  options.timeout = milliseconds(100);
  options.header_bytes_max = 1ull << 30;
  EXPECT_EQ(
      pool_of(options)->send(request_to(dripping.url())).status().code(), Code::kDeadlineExceeded
  );
  HttpRequest request = request_to(silent.url());
  request.deadline = steady_clock().now() + milliseconds(50);
  EXPECT_EQ(pool_of()->send(request).status().code(), Code::kDeadlineExceeded);
}

TEST(HttpPool, a_call_waits_for_a_place_until_its_deadline) {
  TestServer silent([](Peer& peer, int) { peer.wait_for_end(); });
  TestServer quick([](Peer& peer, int) { always(peer, kOk); });
  HttpPoolOptions options = small();
  options.connections = 1;
  options.stall_timeout = milliseconds(400);
  const auto pool = pool_of(options);
  Thread first("first", [&] { (void)pool->send(request_to(silent.url())); });
  while (silent.connections() == 0) {
  }
  HttpRequest request = request_to(quick.url());
  request.deadline = steady_clock().now() + milliseconds(20);
  const auto refused = pool->send(request);
  EXPECT_EQ(refused.status().code(), Code::kResourceExhausted) << refused.status().to_string();
  EXPECT_TRUE(pool->send(request_to(quick.url())).ok());
}

class HttpsPool : public testing::Test {
 protected:
  HttpsPool() : certificate_(make_test_certificate("127.0.0.1")) {
    std::string name = (std::filesystem::temp_directory_path() / "cortex-ca-XXXXXX").string();
    const int fd = mkstemp(name.data());
    CHECK(fd >= 0, "a test has a file");
    close(fd);
    file_ = name;
  }
  ~HttpsPool() override { std::filesystem::remove(file_); }

  std::unique_ptr<HttpPool> trusting(const TestCertificate& certificate) {
    std::ofstream(file_) << certificate.certificate;
    HttpPoolOptions options = small();
    options.tls.ca_file = file_;
    return pool_of(options);
  }

  TestCertificate certificate_;
  std::string file_;
};

TEST_F(HttpsPool, talks_to_a_server_whose_certificate_is_trusted_and_keeps_the_connection) {
  TestServer server(certificate_, [](Peer& peer, int) { always(peer, kOk); });
  const auto pool = trusting(certificate_);
  for (int i = 0; i < 3; ++i) {
    HttpRequest request = request_to(server.url(), "POST");
    request.body = std::string(300'000, 'b');
    const auto response = pool->send(request);
    ASSERT_TRUE(response.ok()) << response.status().to_string();
    EXPECT_EQ(response->body, "ok");
  }
  EXPECT_EQ(server.connections(), 1);
}

TEST_F(HttpsPool, refuses_a_certificate_that_nobody_vouches_for) {
  TestServer server(certificate_, [](Peer& peer, int) { always(peer, kOk); });
  const auto response = pool_of()->send(request_to(server.url()));
  EXPECT_EQ(response.status().code(), Code::kFailedPrecondition);
  EXPECT_THAT(response.status().text(), HasSubstr("self-signed certificate"));
  EXPECT_EQ(server.received(), "");
}

TEST_F(HttpsPool, refuses_a_trusted_certificate_of_another_host) {
  for (const char* host : {"example.test", "127.0.0.2"}) {
    const TestCertificate other = make_test_certificate(host);
    TestServer server(other, [](Peer& peer, int) { always(peer, kOk); });
    const auto response = trusting(other)->send(request_to(server.url()));
    EXPECT_EQ(response.status().code(), Code::kFailedPrecondition);
    EXPECT_THAT(response.status().text(), HasSubstr("mismatch"));
    EXPECT_EQ(server.received(), "");
  }
}

TEST_F(HttpsPool, does_not_speak_tls_with_a_server_that_does_not) {
  TestServer plain([](Peer& peer, int) {
    peer.send("hello, this is no TLS\r\n");
    peer.wait_for_end();
  });
  const auto response =
      pool_of()->send(request_to("https://127.0.0.1:" + std::to_string(plain.port())));
  EXPECT_EQ(response.status().code(), Code::kUnavailable);
  TestServer silent([](Peer& peer, int) { peer.wait_for_end(); });
  HttpPoolOptions options = small();
  options.connect_timeout = milliseconds(50);
  const auto late =
      pool_of(options)->send(request_to("https://127.0.0.1:" + std::to_string(silent.port())));
  EXPECT_EQ(late.status().code(), Code::kDeadlineExceeded);
}

TEST_F(HttpsPool, an_answer_that_ends_with_a_cut_is_not_taken_for_whole) {
  TestServer server(certificate_, [](Peer& peer, int connection) {
    peer.read_request();
    peer.send("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhalf");
    if (connection == 0) peer.cut();
  });
  const auto pool = trusting(certificate_);
  EXPECT_EQ(pool->send(request_to(server.url())).status().code(), Code::kUnavailable);
  EXPECT_EQ(pool->send(request_to(server.url()))->body, "half");
}

}  // namespace
}  // namespace cortex::net
