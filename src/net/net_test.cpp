// SPDX-License-Identifier: Apache-2.0
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/thread.h"
#include "net/http_client.h"

namespace cortex::net {
namespace {

using testing::HasSubstr;

// Accepts one connection per inner list and answers each request on it with the next text; then
// closes it.
class ScriptedServer {
 public:
  using Script = std::vector<std::vector<std::string>>;
  explicit ScriptedServer(Script script) : script_(std::move(script)) {
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    EXPECT_EQ(listen(listener_, 8), 0);
    socklen_t size = sizeof address;
    getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    thread_ = Thread("scripted", [this] { run(); });
  }
  ~ScriptedServer() {
    ::shutdown(listener_, SHUT_RDWR);
    thread_.join();
    ::close(listener_);
  }

  [[nodiscard]] std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }
  // REQUIRES: every connection of the script was used.
  std::string received() {
    thread_.join();
    return received_;
  }

 private:
  void run() {
    for (const auto& answers : script_) {
      const int fd = accept(listener_, nullptr, nullptr);
      if (fd < 0) return;
      for (const std::string& answer : answers) {
        read_request(fd);
        ::send(fd, answer.data(), answer.size(), MSG_NOSIGNAL);
      }
      ::close(fd);
    }
  }

  // The tests' requests have no body or one that comes with the head.
  void read_request(int fd) {
    std::string text;
    char chunk[4096];
    while (text.find("\r\n\r\n") == std::string::npos) {
      const ssize_t got = recv(fd, chunk, sizeof chunk, 0);
      if (got <= 0) return;
      text.append(chunk, static_cast<std::size_t>(got));
    }
    received_ += text;
  }

  Script script_;
  int listener_ = -1;
  int port_ = 0;
  std::string received_;
  Thread thread_;
};

HttpClient client_for(
    const std::string& url, std::chrono::milliseconds timeout = std::chrono::seconds(20)
) {
  HttpClientOptions options;
  options.url = url;
  options.key = "secret";
  options.timeout = timeout;
  options.body_bytes_max = 1000;
  return std::move(HttpClient::make(options)).value();
}

HttpCall get(std::string_view target) {
  HttpCall call;
  call.target = target;
  return call;
}

TEST(HttpClient, keeps_the_connection_and_reads_lengths_and_chunks) {
  ScriptedServer server(ScriptedServer::Script{
      {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-A: b\r\n\r\nhi",
       "HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"}
  });
  auto client = client_for(server.url() + "/base/");
  const auto first = client.send(get("/one"));
  ASSERT_TRUE(first.ok()) << first.status().to_string();
  EXPECT_EQ(first->status, 200);
  EXPECT_EQ(first->body, "hi");
  EXPECT_EQ(first->header("x-a"), "b");
  HttpCall post = get("/two");
  post.method = "POST";
  post.body = "{}";
  const auto second = client.send(post);
  ASSERT_TRUE(second.ok()) << second.status().to_string();
  EXPECT_EQ(second->status, 404);
  EXPECT_EQ(second->body, "abc");
  const std::string received = server.received();
  EXPECT_THAT(received, HasSubstr("GET /base/one HTTP/1.1\r\n"));
  EXPECT_THAT(received, HasSubstr("Authorization: Bearer secret\r\n"));
  EXPECT_THAT(received, HasSubstr("POST /base/two HTTP/1.1\r\n"));
  EXPECT_THAT(received, HasSubstr("Content-Length: 2\r\n"));
}

TEST(HttpClient, connects_again_when_the_server_closed_an_idle_connection) {
  ScriptedServer server(ScriptedServer::Script{
      {"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1"},
      {"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n2"}
  });
  auto client = client_for(server.url());
  ASSERT_TRUE(client.send(get("/")).ok());
  const auto second = client.send(get("/"));
  ASSERT_TRUE(second.ok()) << second.status().to_string();
  EXPECT_EQ(second->body, "2");
}

TEST(HttpClient, reads_an_answer_that_ends_with_the_connection) {
  ScriptedServer server(ScriptedServer::Script{{"HTTP/1.0 200 OK\r\n\r\nwhole"}});
  EXPECT_EQ(client_for(server.url()).send(get("/"))->body, "whole");
}

TEST(HttpClient, tells_a_broken_answer_a_long_one_and_one_that_is_not_http) {
  for (const char* text :
       {"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort",
        "hello\r\n\r\n",
        "",
        "HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n"}) {
    ScriptedServer server(ScriptedServer::Script{{text}});
    const auto answer = client_for(server.url()).send(get("/"));
    ASSERT_FALSE(answer.ok()) << text;
    EXPECT_EQ(answer.status().code(), Code::kUnavailable);
  }
}

TEST(HttpClient, gives_up_at_its_time_out) {
  ScriptedServer server(ScriptedServer::Script{});  // the kernel accepts, nobody answers
  const auto answer = client_for(server.url(), std::chrono::milliseconds(30)).send(get("/"));
  EXPECT_EQ(answer.status().code(), Code::kDeadlineExceeded);
}

TEST(HttpClient, names_a_server_that_is_not_there) {
  std::string url;
  {
    const ScriptedServer gone(ScriptedServer::Script{});
    url = gone.url();
  }
  const auto answer = client_for(url).send(get("/"));
  EXPECT_EQ(answer.status().code(), Code::kUnavailable);
  EXPECT_THAT(answer.status().text(), HasSubstr("cannot connect to 127.0.0.1:"));
}

TEST(HttpClient, refuses_urls_that_it_cannot_serve) {
  for (const char* url : {"https://a", "a:80", "http://", "http://a:b", "http://[::1"}) {
    HttpClientOptions options;
    options.url = url;
    EXPECT_EQ(HttpClient::make(options).status().code(), Code::kInvalidArgument) << url;
  }
}

TEST(PathSegment, encodes_what_would_end_a_segment) {
  EXPECT_EQ(path_segment("a b/c:1"), "a%20b%2Fc%3A1");
}

}  // namespace
}  // namespace cortex::net
