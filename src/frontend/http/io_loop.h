// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <future>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <boost/asio/basic_stream_socket.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

#include "base/mutex.h"
#include "base/thread.h"
#include "frontend/http/admission.h"
#include "frontend/http/body_budget.h"
#include "frontend/http/idle_poll_policy.h"
#include "frontend/http/server.h"

// Private to this folder: the only headers that know Asio are this one and connection.h.
namespace cortex::frontend {

class Connection;

// A fixed executor type: a type-erased one costs an allocation and a virtual call per operation.
using IoExecutor = boost::asio::io_context::executor_type;
using IoSocket = boost::asio::basic_stream_socket<boost::asio::ip::tcp, IoExecutor>;

// One listening port: what it serves and how many it serves at once.
struct Port {
  Port(RouteTable table, const Authenticator& authenticator, std::size_t most)
      : routes(std::move(table)), gate(routes, authenticator), connections_max(most) {}

  const RouteTable routes;
  const Gate gate;
  const std::size_t connections_max;
  std::atomic<std::size_t> connections{0};
};

// What all loops and connections of one server share.
struct ServerContext {
  HttpServerOptions options;
  RecordSink* records = nullptr;
  const Clock* clock = nullptr;
  QuotaGate* quotas = nullptr;
  std::shared_ptr<BodyBudget> budget;
  std::atomic<std::size_t> connections{0};
  std::atomic<std::size_t> exchanges{0};
  std::atomic<bool> draining{false};
  std::atomic<bool> stopped{false};
  std::atomic<bool> idle_told{false};
  std::promise<void> idle;  // kept once, when a draining server is_idle()

  // Whose client left is waited for, too: its record is still to come.
  [[nodiscard]] bool is_idle() const { return connections == 0 && exchanges == 0; }
  void tell_if_idle() {
    if (draining && is_idle() && !idle_told.exchange(true)) idle.set_value();
  }
};

// Counts of one loop: written by its thread alone, read by any.
struct LoopCounts {
  using Counter = std::atomic<std::uint64_t>;
  Counter requests{0}, bad_requests{0}, disconnects{0}, header_timeouts{0}, body_timeouts{0},
      write_timeouts{0}, idle_timeouts{0}, bytes_in{0}, bytes_out{0};

  static void add(Counter& counter, std::uint64_t by = 1) {
    counter.store(counter.load(std::memory_order_relaxed) + by, std::memory_order_relaxed);
  }
};

// One io thread with the connections that live and die on it.
class IoLoop : public std::enable_shared_from_this<IoLoop> {
 public:
  IoLoop(std::shared_ptr<ServerContext> server, std::size_t index);
  ~IoLoop();

  // Caller's thread.
  void start();
  void stop();  // cuts every connection and joins
  [[nodiscard]] bool is_current() const;
  [[nodiscard]] boost::asio::io_context& context() { return context_; }
  // Runs `f` on this loop's thread; after stop() at once, on the caller's.
  template <typename F>
  void post(F&& f) {
    boost::asio::post(context_, std::forward<F>(f));
    if (ended_) run_rest();
  }

  // The rest: this loop's thread alone.
  void adopt(IoSocket socket, std::shared_ptr<Port> port);
  void remove(Connection& connection);
  void begin_drain();
  [[nodiscard]] std::string_view date() const { return date_; }
  [[nodiscard]] std::string new_request_id();
  // Where bytes go that nobody reads.
  [[nodiscard]] std::array<char, 16 * 1024>& scratch() { return scratch_; }

  [[nodiscard]] ServerContext& server() { return *server_; }
  [[nodiscard]] const LoopCounts& counts() const { return counts_; }
  LoopCounts& counts() { return counts_; }

 private:
  void run();
  void wait_for_work();
  void sweep();
  void cut_all();
  void run_rest();

  const std::shared_ptr<ServerContext> server_;
  const std::size_t index_;
  boost::asio::io_context context_;
  boost::asio::executor_work_guard<IoExecutor> work_;
  boost::asio::basic_waitable_timer<
      std::chrono::steady_clock,
      boost::asio::wait_traits<std::chrono::steady_clock>,
      IoExecutor>
      timer_;
  IdlePollPolicy idle_poll_;
  std::vector<std::shared_ptr<Connection>> connections_;
  std::array<char, 16 * 1024> scratch_;
  std::string date_;
  std::uint64_t id_seed_;
  LoopCounts counts_;
  std::atomic<bool> ended_{false};
  Mutex rest_mutex_;  // held by whoever runs what was posted too late
  Thread thread_;
};

}  // namespace cortex::frontend
