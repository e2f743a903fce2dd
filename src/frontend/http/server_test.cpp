// SPDX-License-Identifier: Apache-2.0
#include "frontend/http/server.h"

#include <zlib.h>

#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "frontend/http/testing/test_client.h"
#include "frontend/http/testing/test_server.h"

namespace cortex::frontend {
namespace {

using std::chrono::milliseconds;
using testing::HasSubstr;

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

TEST(HttpServer, keeps_a_connection_over_many_requests) {
  TestServer server;
  TestClient client(server.port());
  for (int i = 0; i < 50; ++i) {
    const std::string body(static_cast<std::size_t>(i) * 997, 'x');
    client.send(post("/echo", body));
    const auto answer = client.read_answer();
    ASSERT_EQ(answer.status, 200);
    ASSERT_EQ(answer.body, body);
  }
  EXPECT_EQ(server.server().counts().accepted, 1U);
  EXPECT_EQ(server.server().counts().requests, 50U);
}

TEST(HttpServer, answers_pipelined_requests_in_their_order) {
  TestServer server;
  TestClient client(server.port());
  std::string all;
  for (int i = 0; i < 200; ++i) all += get("/m/" + std::to_string(i));
  client.send(all);
  for (int i = 0; i < 200; ++i) EXPECT_EQ(client.read_answer().body, std::to_string(i));
}

TEST(HttpServer, a_request_behind_a_slow_one_waits_for_it) {
  TestServer server;
  TestClient client(server.port());
  client.send(post("/park", "a") + get("/m/second"));
  const auto first = server.shelf().take();
  ASSERT_NE(first, nullptr);
  HttpReply reply;
  reply.body = "first";
  first->reply(std::move(reply));
  EXPECT_EQ(client.read_answer().body, "first");
  EXPECT_EQ(client.read_answer().body, "second");
}

TEST(HttpServer, takes_a_request_byte_by_byte) {
  TestServer server;
  TestClient client(server.port());
  for (const char byte : post("/echo", "hello")) client.send(std::string(1, byte));
  EXPECT_EQ(client.read_answer().body, "hello");
}

TEST(HttpServer, takes_chunked_bodies) {
  TestServer server;
  TestClient client(server.port());
  client.send(
      "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: Chunked\r\n\r\n"
      "5;ext=\"a b\"\r\nhello\r\n00006\r\n world\r\n0\r\nTrailer: x\r\n\r\n" +
      get("/hello")
  );
  EXPECT_EQ(client.read_answer().body, "hello world");
  EXPECT_EQ(client.read_answer().body, "hello");
}

TEST(HttpServer, a_million_chunks_of_one_byte_cost_no_more_than_their_bytes) {
  TestServer server;
  TestClient client(server.port());
  client.send("POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
  std::string thousand;
  for (int i = 0; i < 1000; ++i) thousand += "1\r\nx\r\n";
  for (int i = 0; i < 1000; ++i) ASSERT_TRUE(client.send(thousand));
  client.send("0\r\n\r\n");
  EXPECT_EQ(client.read_answer().body, std::string(1'000'000, 'x'));
}

TEST(HttpServer, unpacks_gzip_up_to_the_limit_of_the_unpacked_body) {
  HttpServerOptions options;
  options.body_bytes_limit = 100'000;
  TestServer server(options);
  TestClient client(server.port());
  const std::string fits(100'000, 'a');
  client.send(post("/echo", gzip(fits), "Content-Encoding: gzip\r\n"));
  EXPECT_EQ(client.read_answer().body, fits);
  client.send(post("/echo", gzip(fits + "b"), "Content-Encoding: gzip\r\n"));
  EXPECT_EQ(client.read_answer().status, 413);
}

TEST(HttpServer, refuses_codings_it_does_not_know_and_broken_ones) {
  TestServer server;
  TestClient unknown(server.port());
  unknown.send(post("/echo", "x", "Content-Encoding: br\r\n"));
  EXPECT_EQ(unknown.read_answer().status, 415);
  TestClient broken(server.port());
  broken.send(post("/echo", "this is no gzip", "Content-Encoding: gzip\r\n"));
  EXPECT_EQ(broken.read_answer().status, 400);
  TestClient cut(server.port());
  const std::string packed = gzip(std::string(1000, 'a'));
  cut.send(post("/echo", packed.substr(0, packed.size() - 4), "Content-Encoding: gzip\r\n"));
  EXPECT_EQ(cut.read_answer().status, 400);
}

TEST(HttpServer, tensors_behind_the_json_header_are_aligned) {
  TestServer server;
  TestClient client(server.port());
  client.send(post("/park", std::string(5000, 'x'), "Inference-Header-Content-Length: 77\r\n"));
  const auto exchange = server.shelf().take();
  ASSERT_NE(exchange, nullptr);
  EXPECT_EQ(exchange->request().inference_header_length, 77U);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(exchange->request().body->data() + 77) % 64, 0U);
  exchange->fail(not_found("done"));
}

TEST(HttpServer, knows_how_long_the_caller_waits_where_a_model_runs) {
  TestServer server;
  TestClient client(server.port());
  const auto taken = [&](const std::string& header) {
    client.send(post("/park", "x", header));
    const auto exchange = server.shelf().take();
    const HttpRequest& request = exchange->request();
    const auto wait =
        request.deadline == kNoDeadline ? Duration::max() : request.deadline - request.arrival;
    exchange->fail(not_found("done"));
    EXPECT_EQ(client.read_answer().status, 404);
    return wait;
  };
  EXPECT_EQ(taken(""), Duration::max());
  EXPECT_EQ(taken("X-Envoy-Expected-Rq-Timeout-Ms: 0\r\n"), Duration::max());
  EXPECT_EQ(taken("X-Envoy-Expected-Rq-Timeout-Ms: 250\r\n"), std::chrono::milliseconds(250));
  EXPECT_EQ(
      taken("x-envoy-expected-rq-timeout-ms: 999999999\r\n"), std::chrono::milliseconds(999'999'999)
  );
}

TEST(HttpServer, refuses_a_wait_that_is_none_where_a_model_runs) {
  TestServer server;
  TestClient client(server.port());
  for (const std::string wrong : {"1s", "-1", "1.5", "1000000000", "99999999999999999999", "1 2"}) {
    const std::string header = "x-envoy-expected-rq-timeout-ms: " + wrong + "\r\n";
    client.send(get("/m/a", header));
    const auto refused = client.read_answer();
    EXPECT_EQ(refused.status, 400) << wrong;
    EXPECT_NE(refused.body.find("x-envoy-expected-rq-timeout-ms must be"), std::string::npos);
    client.send(get("/hello", header));
    EXPECT_EQ(client.read_answer().status, 200) << wrong;
  }
}

TEST(HttpServer, sends_segments_behind_the_body) {
  TestServer server;
  TestClient client(server.port());
  client.send(get("/segments"));
  const auto answer = client.read_answer();
  EXPECT_EQ(
      answer.body, "begin" + std::string(10, 'a') + std::string(300'000, 'b') + std::string(5, 'c')
  );
}

TEST(HttpServer, head_has_the_length_but_not_the_body) {
  TestServer server;
  TestClient client(server.port());
  client.send("HEAD /hello HTTP/1.1\r\nHost: x\r\n\r\n" + get("/m/next"));
  const auto head = client.read_answer(true);
  EXPECT_EQ(head.status, 200);
  EXPECT_EQ(head.header("content-length"), "5");
  EXPECT_EQ(client.read_answer().body, "next");
}

TEST(HttpServer, echoes_the_request_id_and_makes_one_where_there_is_none) {
  TestServer server;
  TestClient client(server.port());
  client.send(get("/hello", "X-Request-Id: my-id-1\r\n"));
  EXPECT_EQ(client.read_answer().header("x-request-id"), "my-id-1");
  std::set<std::string> ids;
  for (int i = 0; i < 20; ++i) {
    client.send(get("/hello", i % 2 == 0 ? "" : "X-Request-Id: has blanks\r\n"));
    ids.insert(client.read_answer().header("x-request-id"));
  }
  EXPECT_EQ(ids.size(), 20U);
  EXPECT_EQ(ids.count(""), 0U);
}

TEST(HttpServer, options_names_the_methods_and_cors_only_allowed_origins) {
  HttpServerOptions options;
  options.cors_origins = {"http://good"};
  TestServer server(options);
  TestClient client(server.port());
  client.send(
      "OPTIONS /echo HTTP/1.1\r\nHost: x\r\nOrigin: http://good\r\n"
      "Access-Control-Request-Method: POST\r\nAccess-Control-Request-Headers: authorization\r\n\r\n"
  );
  const auto preflight = client.read_answer();
  EXPECT_EQ(preflight.status, 204);
  EXPECT_EQ(preflight.header("access-control-allow-origin"), "http://good");
  EXPECT_EQ(preflight.header("access-control-allow-methods"), "POST, OPTIONS");
  EXPECT_EQ(preflight.header("access-control-allow-headers"), "authorization");
  client.send(get("/hello", "Origin: http://bad\r\n"));
  EXPECT_EQ(client.read_answer().header("access-control-allow-origin"), "");
}

TEST(HttpServer, caches_keep_answers_to_one_origin_from_others_where_origins_matter) {
  HttpServerOptions options;
  options.cors_origins = {"http://good"};
  TestServer listed(options);
  TestClient client(listed.port());
  for (const char* origin : {"Origin: http://good\r\n", "Origin: http://bad\r\n", ""}) {
    client.send(get("/hello", origin));
    EXPECT_EQ(client.read_answer().header("vary"), "Origin") << origin;
  }
  TestServer closed;
  TestClient other(closed.port());
  other.send(get("/hello", "Origin: http://good\r\n"));
  EXPECT_EQ(other.read_answer().header("vary"), "");
}

TEST(HttpServer, refuses_changes_that_a_page_of_another_origin_asks_for) {
  HttpServerOptions options;
  options.cors_origins = {"http://good"};
  TestServer server(options);
  TestClient client(server.port());
  const auto status = [&](const std::string& host, const std::string& origin) {
    client.send(
        "POST /echo HTTP/1.1\r\nHost: " + host + "\r\nOrigin: " + origin +
        "\r\nContent-Length: 2\r\n\r\nab"
    );
    return client.read_answer().status;
  };
  EXPECT_EQ(status("127.0.0.1:8000", "http://good"), 200);
  EXPECT_EQ(status("127.0.0.1:8000", "http://127.0.0.1:8000"), 200);
  EXPECT_EQ(status("localhost:8000", "http://localhost:8000"), 200);
  EXPECT_EQ(status("127.0.0.1:8000", "http://evil.example"), 403);
  EXPECT_EQ(status("127.0.0.1:8000", "null"), 403);
  // A name that was made to point here: its page believes to be of the same origin.
  EXPECT_EQ(status("evil.example:8000", "http://evil.example:8000"), 403);
  client.send("POST /echo HTTP/1.0\r\nOrigin: http://\r\nContent-Length: 2\r\n\r\nab");
  EXPECT_EQ(client.read_answer().status, 403);
}

TEST(HttpServer, unknown_paths_and_methods_answer_in_the_shape_of_their_api) {
  TestServer server;
  TestClient client(server.port());
  client.send(get("/nowhere"));
  EXPECT_EQ(client.read_answer().body, R"({"error":"no such path: /nowhere"})");
  client.send(get("/m/a/b"));
  const auto missing = client.read_answer();
  EXPECT_EQ(missing.status, 404);
  EXPECT_EQ(missing.body, R"({"text":"no such path: /m/a/b"})");
  client.send(post("/hello", "some body"));
  const auto method = client.read_answer();
  EXPECT_EQ(method.status, 405);
  EXPECT_EQ(method.header("allow"), "GET, HEAD, OPTIONS");
}

TEST(HttpServer, an_api_may_say_the_request_id_under_a_name_of_its_own_too) {
  TestServer server;
  TestClient client(server.port());
  for (const char* path : {"/hello", "/m/a/b"}) {  // an answer, and a refusal
    client.send(get(path, "X-Request-Id: mine\r\n"));
    const auto answer = client.read_answer();
    EXPECT_EQ(answer.header("id-too"), "mine") << path;
    EXPECT_EQ(answer.header("x-request-id"), "mine") << path;
  }
  client.send(get("/hello"));
  const auto drawn = client.read_answer();
  EXPECT_EQ(drawn.header("id-too"), drawn.header("x-request-id"));
  client.send(get("/nowhere"));  // which is no API's
  EXPECT_EQ(client.read_answer().header("id-too"), "");
}

TEST(HttpServer, a_header_at_fault_is_answered_in_the_shape_of_its_path) {
  TestServer server;
  const auto refused = [&](const std::string& path) {
    TestClient client(server.port());
    client.send(get(path == "/nowhere" ? "/hello" : "/nowhere"));  // what came before says nothing
    (void)client.read_answer();
    client.send(post(path, "body", "Content-Encoding: br\r\n"));
    const auto answer = client.read_answer();
    EXPECT_EQ(answer.status, 415);
    return answer.body;
  };
  EXPECT_EQ(refused("/hello"), R"({"text":"Content-Encoding must be gzip, deflate or identity"})");
  EXPECT_EQ(
      refused("/nowhere"), R"({"error":"Content-Encoding must be gzip, deflate or identity"})"
  );
}

TEST(HttpServer, http_1_0_closes_unless_it_asks_to_stay) {
  TestServer server;
  TestClient client(server.port());
  client.send("GET /hello HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  EXPECT_EQ(client.read_answer().header("connection"), "keep-alive");
  client.send("GET /hello HTTP/1.0\r\n\r\n");
  EXPECT_EQ(client.read_answer().body, "hello");
  EXPECT_TRUE(client.is_closed());
}

TEST(HttpServer, connection_close_is_obeyed) {
  TestServer server;
  TestClient client(server.port());
  client.send(get("/hello", "Connection: close\r\n"));
  EXPECT_EQ(client.read_answer().header("connection"), "close");
  EXPECT_TRUE(client.is_closed());
}

TEST(HttpServer, expect_continue_is_answered_before_the_body) {
  TestServer server;
  TestClient client(server.port());
  client.send("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n"
  );
  EXPECT_EQ(client.read_answer().status, 100);
  client.send("body");
  EXPECT_EQ(client.read_answer().body, "body");
}

TEST(HttpServer, a_body_that_would_be_refused_is_not_asked_for) {
  TestServer server;
  TestClient client(server.port());
  client.send(
      "POST /small HTTP/1.1\r\nHost: x\r\nContent-Length: 101\r\nExpect: 100-continue\r\n\r\n"
  );
  EXPECT_EQ(client.read_answer().status, 413);
  EXPECT_TRUE(client.is_closed());
}

TEST(HttpServer, a_refusal_reaches_a_client_that_is_still_sending) {
  TestServer server;
  TestClient client(server.port());
  client.send("POST /small HTTP/1.1\r\nHost: x\r\nContent-Length: 3000000\r\n\r\n");
  client.send(std::string(3'000'000, 'x'));
  EXPECT_EQ(client.read_answer().status, 413);
}

TEST(HttpServer, keys_and_scopes_are_checked_per_route) {
  TestServer server({}, std::make_unique<ScopeAuthenticator>());
  TestClient client(server.port());
  client.send(get("/hello"));
  EXPECT_EQ(client.read_answer().status, 200);
  client.send(get("/m/a"));
  const auto nobody = client.read_answer();
  EXPECT_EQ(nobody.status, 401);
  EXPECT_EQ(nobody.header("www-authenticate"), "Bearer");
  EXPECT_EQ(nobody.body, R"({"text":"no such key"})");
  client.send(get("/m/a", "Authorization: Bearer read\r\n"));
  EXPECT_EQ(client.read_answer().status, 403);
  client.send(get("/m/a", "Authorization: Bearer admin\r\n"));
  EXPECT_EQ(client.read_answer().status, 200);
  client.send(get("/m/a", "X-Api-Key: admin\r\n"));
  EXPECT_EQ(client.read_answer().status, 200);
}

TEST(HttpServer, every_exchange_leaves_one_record) {
  TestServer server;
  TestClient client(server.port());
  client.send(get("/m/abc", "X-Request-Id: r1\r\n"));
  const auto answer = client.read_answer();
  client.send(get("/nowhere"));
  (void)client.read_answer();
  client.send("BROKEN\r\n\r\n");
  (void)client.read_answer();
  const auto records = server.records().wait_for(3);
  ASSERT_EQ(records.size(), 3U);
  EXPECT_EQ(records[0].request_id, "r1");
  EXPECT_EQ(records[0].api, "test");
  EXPECT_EQ(records[0].route, "/m/{name}");
  EXPECT_EQ(records[0].method, "GET");
  EXPECT_EQ(records[0].http_status, 200);
  EXPECT_EQ(records[0].request_bytes, get("/m/abc", "X-Request-Id: r1\r\n").size());
  EXPECT_EQ(records[0].response_bytes, answer.head.size() + answer.body.size());
  EXPECT_EQ(records[1].route, "");
  EXPECT_EQ(records[1].http_status, 404);
  EXPECT_EQ(records[2].route, "");
  EXPECT_EQ(records[2].http_status, 400);
}

TEST(HttpServer, a_wrong_method_is_recorded_with_the_route_of_its_path) {
  TestServer server;
  TestClient client(server.port());
  client.send(post("/m/abc", "x"));
  EXPECT_EQ(client.read_answer().status, 405);
  client.send("OPTIONS /m/abc HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_EQ(client.read_answer().status, 204);
  const auto records = server.records().wait_for(2);
  ASSERT_EQ(records.size(), 2U);
  EXPECT_EQ(records[0].api, "test");
  EXPECT_EQ(records[0].route, "/m/{name}");
  EXPECT_EQ(records[0].method, "POST");
  EXPECT_EQ(records[0].http_status, 405);
  EXPECT_EQ(records[1].route, "/m/{name}");
}

TEST(HttpServer, over_the_connection_limit_a_client_gets_a_503) {
  HttpServerOptions options;
  options.connections_max = 2;
  TestServer server(options);
  TestClient first(server.port());
  TestClient second(server.port());
  first.send(get("/hello"));
  second.send(get("/hello"));
  EXPECT_EQ(first.read_answer().status, 200);
  EXPECT_EQ(second.read_answer().status, 200);
  TestClient third(server.port());
  const auto answer = third.read_answer();
  EXPECT_EQ(answer.status, 503);
  EXPECT_THAT(answer.body, HasSubstr("limits.connections"));
  EXPECT_EQ(answer.header("x-request-id"), "") << "no request was read";
  EXPECT_EQ(answer.header("date"), "");
  EXPECT_EQ(server.server().counts().refused, 1U);
}

TEST(HttpServer, bodies_over_the_budget_get_a_503_and_give_it_back) {
  HttpServerOptions options;
  options.body_budget_bytes = 1024 * 1024;
  TestServer server(options);
  TestClient holder(server.port());
  holder.send(post("/park", std::string(900'000, 'x')));
  auto held = server.shelf().take();
  ASSERT_NE(held, nullptr);
  TestClient second(server.port());
  second.send(post("/echo", std::string(900'000, 'x')));
  const auto refused = second.read_answer();
  EXPECT_EQ(refused.status, 503);
  EXPECT_EQ(refused.header("retry-after"), "1");
  held->fail(not_found("done"));
  held.reset();
  EXPECT_EQ(holder.read_answer().status, 404);
  EXPECT_TRUE(eventually([&] { return server.server().counts().body_budget_used == 0; }));
  holder.send(post("/echo", std::string(900'000, 'x')));
  EXPECT_EQ(holder.read_answer().status, 200);
}

TEST(HttpServer, drains_with_the_answers_that_are_due) {
  TestServer server;
  TestClient busy(server.port());
  busy.send(post("/park", "x"));
  const auto exchange = server.shelf().take();
  server.server().stop_accepting();
  EXPECT_FALSE(server.server().drain(steady_clock().now() + milliseconds(1)));
  HttpReply reply;
  reply.body = "last";
  exchange->reply(std::move(reply));
  const auto answer = busy.read_answer();
  EXPECT_EQ(answer.body, "last");
  EXPECT_EQ(answer.header("connection"), "close");
  EXPECT_TRUE(busy.is_closed());
}

TEST(HttpServer, an_idle_connection_may_still_ask_while_the_server_drains) {
  TestServer server;
  TestClient idle(server.port());
  idle.send(get("/hello"));
  EXPECT_EQ(idle.read_answer().status, 200);
  server.server().stop_accepting();
  EXPECT_FALSE(server.server().drain(steady_clock().now() + milliseconds(1)));
  idle.send(get("/hello"));
  EXPECT_EQ(idle.read_answer().header("connection"), "close");
  EXPECT_TRUE(idle.is_closed());
}

TEST(HttpServer, stop_refuses_what_is_left_and_late_replies_go_nowhere) {
  TestServer server;
  TestClient client(server.port());
  client.send(post("/park", "x"));
  const auto exchange = server.shelf().take();
  server.server().stop();
  exchange->fail(internal("too late"));
  const auto answer = client.read_answer();
  EXPECT_EQ(answer.status, 503);
  EXPECT_EQ(answer.header("connection"), "close");
  EXPECT_TRUE(client.is_closed());
}

TEST(HttpServer, a_port_that_is_taken_is_named) {
  TestServer first;
  HttpServerOptions options;
  options.port = first.port();
  OpenAuthenticator authenticator;
  RecordList records;
  auto routes = RouteTable::build({});
  HttpService service{std::move(routes).value(), std::nullopt, &authenticator, &records};
  HttpServer second(options, std::move(service));
  const Status status = second.start();
  EXPECT_EQ(status.code(), Code::kUnavailable);
  EXPECT_THAT(status.text(), HasSubstr(std::to_string(first.port())));
}

TEST(HttpServer, the_metrics_port_serves_its_own_routes_alone) {
  Api api;
  api.name = "metrics";
  Route route;
  route.pattern = "/metrics";
  route.scope = Scope::kNone;
  route.handler = [](const auto& exchange) { exchange->reply(HttpReply()); };
  api.routes = {route};
  auto main_routes = RouteTable::build({});
  auto metrics_routes = RouteTable::build({api});
  HttpServerOptions options;
  options.port = 0;
  options.metrics_port = 0;
  OpenAuthenticator authenticator;
  RecordList records;
  HttpService service{
      std::move(main_routes).value(), std::move(metrics_routes).value(), &authenticator, &records
  };
  HttpServer server(options, std::move(service));
  ASSERT_TRUE(server.start().ok());
  TestClient on_metrics(server.metrics_port());
  on_metrics.send(get("/metrics"));
  EXPECT_EQ(on_metrics.read_answer().status, 200);
  TestClient on_main(server.port());
  on_main.send(get("/metrics"));
  EXPECT_EQ(on_main.read_answer().status, 404);
}

}  // namespace
}  // namespace cortex::frontend
