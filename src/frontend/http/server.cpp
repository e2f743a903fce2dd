// SPDX-License-Identifier: Apache-2.0
#include "frontend/http/server.h"

#include <future>
#include <utility>

#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/ip/address.hpp>

#include "base/log.h"
#include "frontend/http/admission.h"
#include "frontend/http/io_loop.h"
#include "frontend/http/reply_head.h"

namespace cortex::frontend {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;
using Acceptor = asio::basic_socket_acceptor<tcp, IoExecutor>;

constexpr std::size_t kMetricsConnectionsMax = 64;
constexpr std::chrono::seconds kCloseWait{5};

std::string too_many_connections(const HttpServerOptions& options) {
  const HttpReply reply = refusal(
      nullptr,
      {},
      {503,
       unavailable("the server has no connection free (limits.connections), try again soon")
           .with_retry_after(std::chrono::seconds(1))}
  );
  ReplyFrame frame;
  frame.close = true;
  frame.body_bytes = reply.body.size();
  frame.server = options.server_name;
  std::string text;
  append_reply_head(text, reply, frame);
  return text + reply.body;
}

// Accepts on the first loop and deals the connections out in turn.
class Listener : public std::enable_shared_from_this<Listener> {
 public:
  Listener(
      std::shared_ptr<ServerContext> server,
      std::vector<std::shared_ptr<IoLoop>> loops,
      std::shared_ptr<Port> port
  )
      : server_(std::move(server)),
        loops_(std::move(loops)),
        port_(std::move(port)),
        too_many_(too_many_connections(server_->options)),
        acceptor_(loops_.front()->context()) {}

  Status open(const tcp::endpoint& endpoint);
  void accept_next();
  void close();
  [[nodiscard]] std::uint16_t number() const { return number_; }
  [[nodiscard]] const RouteTable& routes() const { return port_->routes; }
  [[nodiscard]] std::uint64_t accepted() const { return accepted_; }
  [[nodiscard]] std::uint64_t refused() const { return refused_; }

 private:
  [[nodiscard]] IoLoop& next_loop() { return *loops_[turn_++ % loops_.size()]; }
  void hand_over(IoLoop& loop, IoSocket socket);
  void retry_later();

  const std::shared_ptr<ServerContext> server_;
  const std::vector<std::shared_ptr<IoLoop>> loops_;
  const std::shared_ptr<Port> port_;
  const std::string too_many_;
  Acceptor acceptor_;
  std::uint16_t number_ = 0;
  std::size_t turn_ = 0;
  std::atomic<std::uint64_t> accepted_{0};
  std::atomic<std::uint64_t> refused_{0};
};

Status Listener::open(const tcp::endpoint& endpoint) {
  error_code error;
  acceptor_.open(endpoint.protocol(), error);
  if (!error) acceptor_.set_option(tcp::acceptor::reuse_address(true), error);
  if (!error) acceptor_.bind(endpoint, error);
  if (!error) acceptor_.listen(asio::socket_base::max_listen_connections, error);
  if (!error) acceptor_.non_blocking(true, error);
  if (error) {
    return unavailable(
        "cannot listen on " + endpoint.address().to_string() + ":" +
        std::to_string(endpoint.port()) + ": " + error.message()
    );
  }
  number_ = acceptor_.local_endpoint(error).port();
  return {};
}

void Listener::accept_next() {
  if (!acceptor_.is_open()) return;
  IoLoop& loop = next_loop();
  acceptor_.async_accept(
      loop.context(),
      [self = shared_from_this(), &loop](const error_code& error, IoSocket socket) {
        if (error == asio::error::operation_aborted) return;
        if (error) return self->retry_later();
        self->hand_over(loop, std::move(socket));
        self->accept_next();
      }
  );
}

// Out of descriptors: the queue of the kernel holds the clients until some connection ends.
void Listener::retry_later() {
  log::warning("cannot accept a connection; trying again", {{"port", unsigned{number_}}});
  auto timer = std::make_shared<asio::steady_timer>(loops_.front()->context());
  timer->expires_after(std::chrono::milliseconds(100));
  timer->async_wait([self = shared_from_this(), timer](const error_code& error) {
    if (!error) self->accept_next();
  });
}

void Listener::hand_over(IoLoop& loop, IoSocket socket) {
  ++accepted_;
  if (port_->connections >= port_->connections_max) {
    ++refused_;
    error_code ignored;
    socket.non_blocking(true, ignored);
    socket.write_some(asio::buffer(too_many_), ignored);
    socket.shutdown(IoSocket::shutdown_send, ignored);
    return;
  }
  ++port_->connections;
  ++server_->connections;
  if (loop.is_current()) return loop.adopt(std::move(socket), port_);
  loop.post([&loop, port = port_, socket = std::move(socket)]() mutable {
    loop.adopt(std::move(socket), std::move(port));
  });
}

void Listener::close() {
  error_code error;
  while (acceptor_.is_open() && !error) {
    IoLoop& loop = next_loop();
    IoSocket socket(loop.context());
    acceptor_.accept(socket, error);
    if (!error) hand_over(loop, std::move(socket));
  }
  acceptor_.close(error);
}

Result<tcp::endpoint> endpoint_of(const std::string& host, std::uint16_t port) {
  error_code error;
  const auto address =
      asio::ip::make_address(host == "localhost" ? std::string("127.0.0.1") : host, error);
  if (error) return invalid_argument("host: '" + host + "' is not an address");
  return tcp::endpoint(address, port);
}

}  // namespace

struct HttpServer::Impl {
  std::shared_ptr<ServerContext> server = std::make_shared<ServerContext>();
  explicit Impl(HttpService what) : service(std::move(what)) {}

  HttpService service;
  std::vector<std::shared_ptr<IoLoop>> loops;
  std::shared_ptr<Listener> main;
  std::shared_ptr<Listener> metrics;
  bool started = false;
  bool stopped = false;

  [[nodiscard]] bool running() const { return started && !stopped; }
  Status listen(std::shared_ptr<Listener>& listener, RouteTable routes, std::uint16_t number);
  void close_listeners();
};

Status HttpServer::Impl::listen(
    std::shared_ptr<Listener>& listener, RouteTable routes, std::uint16_t number
) {
  const HttpServerOptions& options = server->options;
  CORTEX_ASSIGN_OR_RETURN(const tcp::endpoint endpoint, endpoint_of(options.host, number));
  const bool first = &listener == &main;
  auto port = std::make_shared<Port>(
      std::move(routes),
      *service.authenticator,
      first ? options.connections_max : kMetricsConnectionsMax
  );
  auto made = std::make_shared<Listener>(server, loops, std::move(port));
  CORTEX_RETURN_IF_ERROR(made->open(endpoint));
  listener = std::move(made);
  return {};
}

// On the loop that accepts, since an acceptor is no more thread-safe than a socket.
void HttpServer::Impl::close_listeners() {
  auto closed = std::make_shared<std::promise<void>>();
  loops.front()->post([first = main, second = metrics, closed] {
    first->close();
    if (second) second->close();
    closed->set_value();
  });
  closed->get_future().wait_for(kCloseWait);
}

HttpServer::HttpServer(HttpServerOptions options, HttpService service)
    : impl_(std::make_unique<Impl>(std::move(service))) {
  const HttpService& parts = impl_->service;
  CHECK(parts.authenticator != nullptr && parts.records != nullptr, "both are required");
  ServerContext& server = *impl_->server;
  server.budget = std::make_shared<BodyBudget>(options.body_budget_bytes);
  server.options = std::move(options);
  server.records = parts.records;
  server.clock = parts.clock;
  server.quotas = parts.quotas;
}

HttpServer::~HttpServer() { stop(); }

Status HttpServer::start() {
  CHECK(impl_->loops.empty(), "start() is called once");
  const HttpServerOptions& options = impl_->server->options;
  for (std::size_t i = 0; i < std::max<std::size_t>(1, options.io_threads); ++i) {
    impl_->loops.push_back(std::make_shared<IoLoop>(impl_->server, i));
  }
  CORTEX_RETURN_IF_ERROR(impl_->listen(impl_->main, std::move(impl_->service.routes), options.port)
  );
  if (options.metrics_port && impl_->service.metrics_routes) {
    CORTEX_RETURN_IF_ERROR(impl_->listen(
        impl_->metrics, std::move(*impl_->service.metrics_routes), *options.metrics_port
    ));
  }
  for (const auto& listener : {impl_->main, impl_->metrics}) {
    if (listener) listener->accept_next();
  }
  for (const auto& loop : impl_->loops) loop->start();
  impl_->started = true;
  return {};
}

std::uint16_t HttpServer::port() const { return impl_->main ? impl_->main->number() : 0; }

std::uint16_t HttpServer::metrics_port() const {
  return impl_->metrics ? impl_->metrics->number() : 0;
}

const RouteTable& HttpServer::routes() const {
  CHECK(impl_->main != nullptr, "routes belong to a port");
  return impl_->main->routes();
}

std::size_t HttpServer::open_exchanges() const { return impl_->server->exchanges; }

HttpCounts HttpServer::counts() const {
  HttpCounts sum;
  for (const auto& listener : {impl_->main, impl_->metrics}) {
    if (!listener) continue;
    sum.accepted += listener->accepted();
    sum.refused += listener->refused();
  }
  for (const auto& loop : impl_->loops) {
    const LoopCounts& counts = std::as_const(*loop).counts();
    sum.requests += counts.requests;
    sum.bad_requests += counts.bad_requests;
    sum.disconnects += counts.disconnects;
    sum.header_timeouts += counts.header_timeouts;
    sum.body_timeouts += counts.body_timeouts;
    sum.write_timeouts += counts.write_timeouts;
    sum.idle_timeouts += counts.idle_timeouts;
    sum.bytes_in += counts.bytes_in;
    sum.bytes_out += counts.bytes_out;
  }
  sum.open = impl_->server->connections;
  sum.body_budget_used = impl_->server->budget->used();
  return sum;
}

void HttpServer::stop_accepting() {
  if (impl_->running()) impl_->close_listeners();
}

bool HttpServer::drain(TimePoint deadline) {
  if (!impl_->running()) return true;
  ServerContext& server = *impl_->server;
  if (server.draining.exchange(true)) return server.is_idle();
  for (const auto& loop : impl_->loops) {
    loop->post([loop] { loop->begin_drain(); });
  }
  server.tell_if_idle();
  return server.idle.get_future().wait_until(deadline) == std::future_status::ready;
}

void HttpServer::stop() {
  if (!impl_->running()) return;
  impl_->close_listeners();
  impl_->stopped = true;
  impl_->server->stopped = true;
  for (const auto& loop : impl_->loops) loop->stop();
}

}  // namespace cortex::frontend
