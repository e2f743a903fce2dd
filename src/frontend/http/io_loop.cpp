// SPDX-License-Identifier: Apache-2.0
#include "frontend/http/io_loop.h"

#include <random>

#include "frontend/http/connection.h"
#include "frontend/http/reply_head.h"

namespace cortex::frontend {
namespace {

// Deadlines are watched by one timer per loop: no timer is armed per request.
constexpr std::chrono::milliseconds kSweepInterval{250};

thread_local const IoLoop* current_loop = nullptr;

std::uint64_t random_seed() {
  std::random_device device;
  return (std::uint64_t{device()} << 32) | device();
}

// A bijection that spreads a counter over all 64 bits (splitmix64's finaliser).
std::uint64_t spread(std::uint64_t x) {
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9U;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBU;
  return x ^ (x >> 31);
}

}  // namespace

IoLoop::IoLoop(std::shared_ptr<ServerContext> server, std::size_t index)
    : server_(std::move(server)),
      index_(index),
      context_(1),
      work_(context_.get_executor()),
      timer_(context_.get_executor()),
      idle_poll_(server_->options.idle_poll),
      id_seed_(random_seed()) {
  sweep();
}

IoLoop::~IoLoop() = default;

void IoLoop::start() {
  thread_ = Thread("io-" + std::to_string(index_), [this] { run(); });
}

void IoLoop::run() {
  current_loop = this;
  while (!context_.stopped()) {
    context_.poll();
    wait_for_work();
  }
  current_loop = nullptr;
}

// Returns after the first handlers that ran, or when the loop ended.
void IoLoop::wait_for_work() {
  const Clock& clock = *server_->clock;
  const TimePoint idle_since = clock.now();
  TimePoint now = idle_since;
  for (const TimePoint end = now + idle_poll_.next(); now < end; now = clock.now()) {
    if (context_.poll() > 0) return idle_poll_.observe(now - idle_since);
  }
  context_.run_one();
  idle_poll_.observe(clock.now() - idle_since);
}

bool IoLoop::is_current() const { return current_loop == this; }

void IoLoop::stop() {
  post([this] { cut_all(); });
  work_.reset();
  if (thread_.joinable()) thread_.join();
  ended_ = true;
  run_rest();
}

// What was handed over too late holds its connection: somebody must let go of it. Whoever posts
// looks at ended_ afterwards, so that nothing stays behind. The server has stopped by then:
// exchanges post nothing further from here.
void IoLoop::run_rest() {
  const MutexLock lock(rest_mutex_);
  context_.restart();
  context_.poll();
}

void IoLoop::cut_all() {
  timer_.cancel();
  while (!connections_.empty()) {
    const std::shared_ptr<Connection> last = connections_.back();
    last->cut();
  }
}

void IoLoop::adopt(IoSocket socket, std::shared_ptr<Port> port) {
  auto connection =
      std::make_shared<Connection>(shared_from_this(), std::move(socket), std::move(port));
  connection->set_slot(connections_.size());
  connections_.push_back(connection);
  if (server_->stopped) return connection->cut();
  connection->start();
}

void IoLoop::remove(Connection& connection) {
  const std::size_t slot = connection.slot();
  connections_[slot].swap(connections_.back());
  connections_[slot]->set_slot(slot);
  connections_.pop_back();
}

void IoLoop::begin_drain() {
  for (std::size_t i = connections_.size(); i-- > 0;) connections_[i]->begin_drain();
}

// Closing a connection moves the last one into its place, which was visited already.
void IoLoop::sweep() {
  date_ = http_date(unix_milliseconds() / 1000);
  const TimePoint now = server_->clock->now();
  for (std::size_t i = connections_.size(); i-- > 0;) {
    if (i >= connections_.size()) continue;
    const std::shared_ptr<Connection> connection = connections_[i];
    connection->on_sweep(now);
  }
  if (server_->stopped) return;
  timer_.expires_after(kSweepInterval);
  timer_.async_wait([this](const boost::system::error_code& error) {
    if (!error) sweep();
  });
}

// 13 characters of five bits: unique in this process, unguessable enough for a log, and short
// enough that the string needs no memory of its own.
std::string IoLoop::new_request_id() {
  static constexpr std::string_view kDigits = "0123456789abcdefghijklmnopqrstuv";
  std::uint64_t bits = spread(id_seed_ += 0x9E3779B97F4A7C15U);
  std::string id(13, '0');
  for (char& c : id) {
    c = kDigits[bits & 31];
    bits >>= 5;
  }
  return id;
}

}  // namespace cortex::frontend
