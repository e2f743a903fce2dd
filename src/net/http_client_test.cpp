// SPDX-License-Identifier: Apache-2.0
#include "net/http_client.h"

#include <unistd.h>

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "net/testing/test_server.h"

namespace cortex::net {
namespace {

using testing::HasSubstr;

// Accepts one connection per inner list and answers each request on it with the next text; then
// closes it.
class ScriptedServer : public TestServer {
 public:
  using Script = std::vector<std::vector<std::string>>;
  explicit ScriptedServer(Script script)
      : TestServer([script = std::move(script)](Peer& peer, int connection) {
          if (static_cast<std::size_t>(connection) >= script.size()) return;
          for (const std::string& answer : script[static_cast<std::size_t>(connection)]) {
            peer.read_request();
            peer.send(answer);
          }
        }) {}
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

TEST(HttpClient, tells_a_broken_answer_and_one_that_is_not_http) {
  for (const char* text :
       {"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort", "hello\r\n\r\n", ""}) {
    ScriptedServer server(ScriptedServer::Script{{text}});
    const auto answer = client_for(server.url()).send(get("/"));
    ASSERT_FALSE(answer.ok()) << text;
    EXPECT_EQ(answer.status().code(), Code::kUnavailable);
  }
}

TEST(HttpClient, takes_no_answer_over_its_limit) {
  for (const char* text :
       {"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfff\r\n"}) {
    ScriptedServer server(ScriptedServer::Script{{text + std::string(5000, 'x')}});
    const auto answer = client_for(server.url()).send(get("/"));
    EXPECT_EQ(answer.status().code(), Code::kResourceExhausted) << text;
  }
}

TEST(HttpClient, gives_up_at_its_time_out) {
  TestServer server([](TestServer::Peer& peer, int) { peer.wait_for_end(); });
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

TEST(HttpClient, sends_nothing_that_would_be_two_requests) {
  auto client = client_for("http://127.0.0.1:1");
  EXPECT_EQ(client.send(get("/a b")).status().code(), Code::kInvalidArgument);
  HttpCall call = get("/");
  call.headers = {{"X-A", "b\r\nX-C: d"}};
  EXPECT_EQ(client.send(call).status().code(), Code::kInvalidArgument);
}

TEST(HttpClient, refuses_urls_that_it_cannot_serve) {
  HttpClientOptions options;
  options.url = "ftp://a";
  EXPECT_EQ(HttpClient::make(options).status().code(), Code::kInvalidArgument);
  options.url = "https://a";
  options.ca_file = "/nowhere.pem";
  EXPECT_EQ(HttpClient::make(options).status().code(), Code::kFailedPrecondition);
}

TEST(PathSegment, encodes_what_would_end_a_segment) {
  EXPECT_EQ(path_segment("a b/c:1"), "a%20b%2Fc%3A1");
}

TEST(HttpClient, hands_on_an_answer_as_it_comes) {
  std::vector<std::string> parts;
  TestServer server([](TestServer::Peer& peer, int) {
    peer.read_request();
    peer.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n");
    peer.wait_for_end();
  });
  HttpClient client = client_for(server.url());
  const auto answer = client.send(get("/"), [&](const HttpResponse& head, std::string_view bytes) {
    EXPECT_EQ(head.status, 200);
    parts.emplace_back(bytes);
    return cancelled("that is enough");
  });
  EXPECT_EQ(answer.status().code(), Code::kCancelled);
  EXPECT_THAT(parts, testing::ElementsAre("one"));
}

TEST(HttpClient, keeps_what_a_refusal_says_from_the_sink) {
  ScriptedServer server(
      ScriptedServer::Script{{"HTTP/1.1 429 Too Many Requests\r\nContent-Length: 4\r\n\r\nbusy"}}
  );
  HttpClient client = client_for(server.url());
  const auto answer = client.send(get("/"), [](const HttpResponse&, std::string_view) {
    ADD_FAILURE() << "no answer to hand on";
    return Status();
  });
  ASSERT_TRUE(answer.ok());
  EXPECT_EQ(answer->status, 429);
  EXPECT_EQ(answer->body, "busy");
}

TEST(HttpClient, ends_a_wait_when_it_is_interrupted) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  {
    TestServer server([&](TestServer::Peer& peer, int) {
      peer.read_request();
      EXPECT_EQ(write(ends[1], "x", 1), 1);
      peer.wait_for_end();
    });
    HttpClientOptions options;
    options.url = server.url();
    options.interrupt = ends[0];
    HttpClient client = std::move(HttpClient::make(options)).value();
    EXPECT_EQ(client.send(get("/")).status().code(), Code::kCancelled);
  }
  close(ends[0]);
  close(ends[1]);
}

TEST(HttpClient, gives_up_on_a_silent_server_before_the_whole_call_is_over) {
  TestServer server([](TestServer::Peer& peer, int) { peer.wait_for_end(); });
  HttpClientOptions options;
  options.url = server.url();
  options.stall_timeout = std::chrono::milliseconds(20);
  HttpClient client = std::move(HttpClient::make(options)).value();
  EXPECT_EQ(client.send(get("/")).status().code(), Code::kDeadlineExceeded);
}

}  // namespace
}  // namespace cortex::net
