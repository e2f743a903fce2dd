// SPDX-License-Identifier: Apache-2.0
// PostgreSQL behind a wire that is cut, refuses, or carries nothing, and with backends that are
// ended under the works.
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "base/mutex.h"
#include "base/thread.h"
#include "store/store.h"
#include "store/testing/store_calls.h"
#include "store/testing/temporary_store.h"

namespace cortex::store {
namespace {

constexpr std::array<std::string_view, 1> kSteps = {
    "CREATE TABLE thing (id {id}, name {text} NOT NULL UNIQUE)"
};
constexpr Schema kThings = {"things", kSteps};
constexpr const char* kInsert = "INSERT INTO thing (name) VALUES ($1)";

sockaddr_in loopback(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

int new_socket() { return ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0); }

// Carries bytes between a port of its own and the server, the way a test wants it.
class Wire {
 public:
  enum class Mode { kCarry, kRefuse, kSilent };

  explicit Wire(int server_port) : server_port_(server_port), listener_(new_socket()) {
    sockaddr_in address = loopback(0);
    socklen_t size = sizeof(address);
    auto* generic = reinterpret_cast<sockaddr*>(&address);
    CHECK(::bind(listener_, generic, size) == 0, "there are free ports");
    CHECK(::getsockname(listener_, generic, &size) == 0, "a bound socket has a name");
    CHECK(::listen(listener_, 32) == 0, "a socket listens");
    port_ = ntohs(address.sin_port);
    thread_ = Thread("wire", [this] { run(); });
  }
  ~Wire() {
    stop_ = true;
    thread_.join();
    close_all();
    ::close(listener_);
  }
  Wire(const Wire&) = delete;
  Wire& operator=(const Wire&) = delete;

  [[nodiscard]] int port() const { return port_; }
  [[nodiscard]] int refused() const { return refused_; }
  // Everything that is open is closed when the mode is kRefuse.
  void set(Mode mode) { mode_ = mode; }

 private:
  struct Pair {
    int client;
    int server;
  };

  void run() {
    while (!stop_) {
      if (mode_ == Mode::kRefuse) close_all();
      std::vector<pollfd> files = {{listener_, POLLIN, 0}};
      if (mode_ == Mode::kCarry) {
        for (const Pair& pair : pairs_) {
          files.push_back({pair.client, POLLIN, 0});
          files.push_back({pair.server, POLLIN, 0});
        }
      }
      ::poll(files.data(), files.size(), 5);
      for (std::size_t i = 1; i + 1 < files.size(); i += 2) {
        if (files[i].revents != 0) carry(files[i].fd, files[i + 1].fd);
        if (files[i + 1].revents != 0) carry(files[i + 1].fd, files[i].fd);
      }
      std::erase_if(pairs_, [](const Pair& pair) { return pair.client < 0; });
      if (files[0].revents != 0) take();
    }
  }

  void take() {
    const int client = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (client < 0) return;
    if (mode_ == Mode::kRefuse) {
      ++refused_;
      ::close(client);
      return;
    }
    const int server = new_socket();
    const sockaddr_in address = loopback(server_port_);
    CHECK(
        ::connect(server, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0,
        "the server listens"
    );
    pairs_.push_back({client, server});
  }

  void carry(int from, int to) {
    std::array<char, 16384> buffer{};
    const ssize_t got = ::recv(from, buffer.data(), buffer.size(), 0);
    if (got > 0 && ::send(to, buffer.data(), static_cast<std::size_t>(got), MSG_NOSIGNAL) == got) {
      return;
    }
    for (Pair& pair : pairs_) {
      if (pair.client == from || pair.server == from) close(pair);
    }
  }

  static void close(Pair& pair) {
    ::close(pair.client);
    ::close(pair.server);
    pair = {-1, -1};
  }
  void close_all() {
    for (Pair& pair : pairs_) close(pair);
    pairs_.clear();
  }

  const int server_port_;
  const int listener_;
  int port_ = 0;
  std::vector<Pair> pairs_;  // the thread's
  std::atomic<Mode> mode_ = Mode::kCarry;
  std::atomic<bool> stop_ = false;
  std::atomic<int> refused_ = 0;
  Thread thread_;
};

int port_of(const std::string& address) {
  const std::size_t host = address.find('@') + 1;
  return std::stoi(address.substr(address.find(':', host) + 1));
}

std::string with_port(std::string address, int port) {
  const std::size_t colon = address.find(':', address.find('@'));
  const std::size_t end = address.find('/', colon);
  return address.replace(colon + 1, end - colon - 1, std::to_string(port));
}

class StoreServer : public testing::Test {
 protected:
  void SetUp() override {
    if (!TemporaryStore::available("postgresql")) GTEST_SKIP() << "CORTEX_TEST_POSTGRESQL is unset";
    temporary_.emplace("postgresql", std::vector<Schema>{kThings});
    wire_.emplace(port_of(temporary_->address()));
  }
  void open(const std::string& more = {}) {
    StoreOptions options;
    options.address = with_port(temporary_->address(), wire_->port()) + more;
    options.deadline = std::chrono::milliseconds(1500);
    auto store = open_store(options, std::array{kThings});
    ASSERT_TRUE(store.ok()) << store.status().to_string();
    store_ = std::move(store).value();
  }
  void wait_until_available() {
    const TimePoint end = steady_clock().now() + std::chrono::minutes(1);
    while (!store_->health().available) {
      ASSERT_LT(steady_clock().now(), end) << "the store did not come back";
      std::this_thread::yield();
    }
  }
  std::int64_t things() { return read_integer(**temporary_, "SELECT count(*) FROM thing"); }

  std::optional<TemporaryStore> temporary_;
  std::optional<Wire> wire_;
  std::unique_ptr<Store> store_;  // over the wire
};

TEST_F(StoreServer, lost_is_said_at_once_until_it_is_back) {
  open();
  ASSERT_TRUE(write_sql(*store_, kInsert, {"before"}).ok());
  wire_->set(Wire::Mode::kRefuse);
  while (write_sql(*store_, "UPDATE thing SET name = name").ok()) continue;
  const int refused = wire_->refused();
  for (int i = 0; i < 300; ++i) {
    ASSERT_EQ(write_sql(*store_, kInsert, {"lost"}).code(), Code::kUnavailable);
    ASSERT_EQ(read_sql(*store_, "SELECT 1").status().code(), Code::kUnavailable);
  }
  EXPECT_LT(wire_->refused() - refused, 30) << "every work tries to connect";
  EXPECT_FALSE(store_->health().available);
  EXPECT_FALSE(store_->health().reason.empty());
  wire_->set(Wire::Mode::kCarry);
  wait_until_available();
  EXPECT_TRUE(write_sql(*store_, kInsert, {"after"}).ok());
  EXPECT_EQ(things(), 2);
}

TEST_F(StoreServer, a_wire_that_carries_nothing_holds_up_nobody_past_the_deadline) {
  open();
  ASSERT_TRUE(write_sql(*store_, kInsert, {"before"}).ok());
  wire_->set(Wire::Mode::kSilent);
  EXPECT_EQ(write_sql(*store_, kInsert, {"silent"}).code(), Code::kDeadlineExceeded);
  EXPECT_EQ(
      read_sql(*store_, "SELECT count(*) FROM thing").status().code(), Code::kDeadlineExceeded
  );
  store_.reset();
  EXPECT_EQ(things(), 1);
}

TEST_F(StoreServer, works_come_through_while_their_backends_are_ended) {
  open("&application_name=cortex_fault_" + std::to_string(::getpid()));
  constexpr std::size_t rounds = 5;
  constexpr std::size_t works_per_round = 15;
  std::atomic<std::size_t> came_through = 0;
  std::atomic<std::int64_t> ended = 0;
  Store& direct = **temporary_;
  const std::string kill_all =
      "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = "
      "'cortex_fault_" +
      std::to_string(::getpid()) + "'";
  std::vector<std::string> answered;
  int failed = 0;
  {
    const Thread killer("killer", [&] {
      for (std::size_t round = 1; round <= rounds; ++round) {
        while (came_through < round * works_per_round) std::this_thread::yield();
        ended += read_integer(direct, kill_all);
      }
    });
    for (int i = 0; came_through < (rounds + 1) * works_per_round; ++i) {
      const std::string name = "thing " + std::to_string(i);
      const Status status = write_sql(*store_, kInsert, {name});
      if (status.ok()) {
        answered.push_back(name);
        ++came_through;
        continue;
      }
      EXPECT_EQ(status.code(), Code::kUnavailable) << status.to_string();
      ++failed;
    }
  }
  EXPECT_GE(ended, static_cast<std::int64_t>(rounds));
  for (const std::string& name : answered) {
    ASSERT_EQ(read_integer(direct, "SELECT count(*) FROM thing WHERE name = $1", {name}), 1)
        << name;
  }
  EXPECT_LE(things(), static_cast<std::int64_t>(answered.size()) + failed);
}

}  // namespace
}  // namespace cortex::store
