// SPDX-License-Identifier: Apache-2.0
#include "frontend/http/testing/test_server.h"

#include <utility>

#include "base/check.h"

namespace cortex::frontend {
namespace {

constexpr std::chrono::seconds kWait{10};

Route route(
    Method method, std::string_view pattern, std::function<void(std::shared_ptr<Exchange>)> handler
) {
  Route made;
  made.method = method;
  made.pattern = pattern;
  made.scope = Scope::kInfer;
  made.api = "test";
  made.handler = std::move(handler);
  return made;
}

HttpReply text_reply(std::string body) {
  HttpReply reply;
  reply.content_type = "text/plain";
  reply.body = std::move(body);
  return reply;
}

Segment segment_of(std::size_t size, char fill) {
  auto text = std::make_shared<const std::string>(size, fill);
  return Segment{std::as_bytes(std::span(*text)), text};
}

HttpReply pieces() {
  HttpReply reply = text_reply("begin");
  reply.segments = {
      segment_of(10, 'a'), segment_of(300'000, 'b'), segment_of(0, 'x'), segment_of(5, 'c')
  };
  return reply;
}

void count_on(const std::shared_ptr<Exchange>& exchange, std::size_t count) {
  exchange->read_body([exchange, count](const Result<Exchange::BodyPart>& part) {
    if (!part.ok()) return exchange->fail(part.status());
    if (part.value().empty()) return exchange->reply(text_reply(std::to_string(count)));
    count_on(exchange, count + part.value().size());
  });
}

void repeat_on(const std::shared_ptr<Exchange>& exchange);

void repeat_part(const std::shared_ptr<Exchange>& exchange, const std::string& part) {
  if (exchange->write(part)) return repeat_on(exchange);
  exchange->on_writable([exchange, part] { repeat_part(exchange, part); });
}

void repeat_on(const std::shared_ptr<Exchange>& exchange) {
  exchange->read_body([exchange](const Result<Exchange::BodyPart>& part) {
    if (!part.ok()) return;
    const auto bytes = part.value();
    if (bytes.empty()) return exchange->end_stream();
    repeat_part(exchange, {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  });
}

Route streamed(std::string_view pattern, std::function<void(std::shared_ptr<Exchange>)> handler) {
  Route made = route(Method::kPost, pattern, std::move(handler));
  made.body = BodyMode::kStreamed;
  return made;
}

}  // namespace

void RecordList::record(const RequestRecord& record) {
  MutexLock lock(mutex_);
  records_.push_back(record);
  changed_.notify_all();
}

std::vector<RequestRecord> RecordList::wait_for(std::size_t count) {
  const TimePoint deadline = steady_clock().now() + kWait;
  MutexLock lock(mutex_);
  while (records_.size() < count && changed_.wait_until(mutex_, deadline)) {
  }
  return records_;
}

Result<Principal> ScopeAuthenticator::authenticate(const Credentials& credentials) const {
  Principal principal;
  principal.key = std::string(
      credentials.x_api_key.empty() ? credentials.authorization : credentials.x_api_key
  );
  if (principal.key == "Bearer admin" || principal.key == "admin") return principal;
  principal.scopes = static_cast<ScopeSet>(Scope::kRead);
  if (principal.key == "Bearer read" || principal.key == "read") return principal;
  return unauthenticated("no such key");
}

void ExchangeShelf::put(std::shared_ptr<Exchange> exchange) {
  MutexLock lock(mutex_);
  exchanges_.push_back(std::move(exchange));
  changed_.notify_all();
}

std::shared_ptr<Exchange> ExchangeShelf::take() {
  const TimePoint deadline = steady_clock().now() + kWait;
  MutexLock lock(mutex_);
  while (exchanges_.empty() && changed_.wait_until(mutex_, deadline)) {
  }
  if (exchanges_.empty()) return nullptr;
  auto first = std::move(exchanges_.front());
  exchanges_.erase(exchanges_.begin());
  return first;
}

Api TestServer::make_api() {
  Api api;
  api.name = "test";
  api.request_id_header = "id-too";
  api.error_body = [](int, const Status& status, std::string_view) {
    return "{\"text\":\"" + status.text() + "\"}";
  };
  api.routes = {
      route(
          Method::kPost,
          "/echo",
          [](const auto& e) { e->reply(text_reply(std::string(e->request().body->text()))); }
      ),
      route(Method::kGet, "/hello", [](const auto& e) { e->reply(text_reply("hello")); }),
      route(Method::kPost, "/park", [this](auto e) { shelf_.put(std::move(e)); }),
      route(Method::kGet, "/parked", [this](auto e) { shelf_.put(std::move(e)); }),
      route(Method::kGet, "/segments", [](const auto& e) { e->reply(pieces()); }),
      route(Method::kGet, "/drop", [](const auto&) {}),
      route(
          Method::kGet,
          "/m/{name}",
          [](const auto& e) { e->reply(text_reply(e->request().path_values[0])); }
      ),
      route(Method::kPost, "/small", [](const auto& e) { e->reply(text_reply("small")); }),
  };
  api.routes[1].scope = Scope::kNone;
  api.routes.back().body_bytes_limit = 100;
  api.routes.push_back(streamed("/count", [](const auto& e) { count_on(e, 0); }));
  api.routes.push_back(streamed("/repeat", [](const auto& e) {
    e->begin_stream(text_reply(""));
    repeat_on(e);
  }));
  api.routes.push_back(streamed("/early", [](const auto& e) { e->reply(text_reply("early")); }));
  api.routes.push_back(streamed("/window", [this](auto e) { shelf_.put(std::move(e)); }));
  return api;
}

TestServer::TestServer(HttpServerOptions options, std::unique_ptr<Authenticator> authenticator)
    : authenticator_(
          authenticator ? std::move(authenticator) : std::make_unique<OpenAuthenticator>()
      ) {
  options.port = 0;
  auto routes = RouteTable::build({make_api()});
  CHECK(routes.ok(), "the routes of the test agree");
  HttpService service{
      std::move(routes).value(), std::nullopt, authenticator_.get(), &records_, &clock_
  };
  server_ = std::make_unique<HttpServer>(std::move(options), std::move(service));
  CHECK(server_->start().ok(), "a free port is found");
}

}  // namespace cortex::frontend
