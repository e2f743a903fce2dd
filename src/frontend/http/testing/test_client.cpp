// SPDX-License-Identifier: Apache-2.0
#include "frontend/http/testing/test_client.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cctype>
#include <cerrno>
#include <cstdlib>
#include <utility>

#include "base/check.h"

namespace cortex::frontend {
namespace {

constexpr int kWaitMilliseconds = 10'000;

bool wait_for(int socket, short events) {
  pollfd entry{socket, events, 0};
  return ::poll(&entry, 1, kWaitMilliseconds) == 1;
}

}  // namespace

std::string get(std::string_view path, std::string_view more) {
  return "GET " + std::string(path) + " HTTP/1.1\r\nHost: x\r\n" + std::string(more) + "\r\n";
}

std::string post(std::string_view path, std::string_view body, std::string_view more) {
  return "POST " + std::string(path) +
         " HTTP/1.1\r\nHost: x\r\nContent-Length: " + std::to_string(body.size()) + "\r\n" +
         std::string(more) + "\r\n" + std::string(body);
}

TestClient::TestClient(std::uint16_t port) : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const int result =
      ::connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address);
  CHECK(result == 0, "the server under test listens");
}

TestClient::~TestClient() {
  if (socket_ >= 0) ::close(socket_);
}

bool TestClient::send(std::string_view bytes) const {
  while (!bytes.empty()) {
    if (!wait_for(socket_, POLLOUT)) return false;
    const ssize_t sent = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && errno == EAGAIN) continue;
    if (sent <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

void TestClient::half_close() const { ::shutdown(socket_, SHUT_WR); }

void TestClient::reset() {
  const linger now{1, 0};
  ::setsockopt(socket_, SOL_SOCKET, SO_LINGER, &now, sizeof now);
  ::close(std::exchange(socket_, -1));
}

bool TestClient::fill() {
  std::array<char, 65536> buffer;
  if (!wait_for(socket_, POLLIN)) return false;
  const ssize_t got = ::recv(socket_, buffer.data(), buffer.size(), 0);
  if (got <= 0) return false;
  held_.append(buffer.data(), static_cast<std::size_t>(got));
  return true;
}

bool TestClient::fill_until(std::size_t size) {
  while (held_.size() < size) {
    if (!fill()) return false;
  }
  return true;
}

std::string TestClient::take(std::size_t size) {
  std::string taken = held_.substr(0, size);
  held_.erase(0, taken.size());
  return taken;
}

std::string TestClient::read_some(std::size_t most) {
  if (held_.empty()) fill();
  return take(most);
}

std::string TestClient::read_all() {
  while (fill()) {
  }
  return take(held_.size());
}

bool TestClient::is_closed() {
  if (!held_.empty() || !wait_for(socket_, POLLIN)) return false;
  char byte = 0;
  const ssize_t received = ::recv(socket_, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  return received == 0 || (received < 0 && errno != EAGAIN);
}

std::string TestClient::take_chunks() {
  std::string body;
  for (;;) {
    std::size_t end = 0;
    while ((end = held_.find("\r\n")) == std::string::npos) {
      if (!fill()) return body + "<cut>";
    }
    const std::size_t size = std::strtoul(held_.c_str(), nullptr, 16);
    take(end + 2);
    if (!fill_until(size + 2)) return body + "<cut>";
    body += take(size);
    take(2);
    if (size == 0) return body;
  }
}

std::string TestClient::Answer::header(std::string_view lower_case_name) const {
  std::string lower = head;
  for (char& c : lower) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  const std::string wanted = "\r\n" + std::string(lower_case_name) + ": ";
  const std::size_t at = lower.find(wanted);
  if (at == std::string::npos) return {};
  const std::size_t start = at + wanted.size();
  return head.substr(start, head.find("\r\n", start) - start);
}

TestClient::Answer TestClient::read_answer(bool bodyless) {
  Answer answer;
  std::size_t end = 0;
  while ((end = held_.find("\r\n\r\n")) == std::string::npos) {
    if (!fill()) return answer;
  }
  answer.head = take(end + 4);
  answer.status = std::atoi(answer.head.c_str() + 9);
  if (bodyless || answer.status < 200 || answer.status == 204 || answer.status == 304)
    return answer;
  const std::string length = answer.header("content-length");
  if (!length.empty()) {
    const std::size_t size = std::strtoul(length.c_str(), nullptr, 10);
    fill_until(size);
    answer.body = take(size);
  } else if (answer.header("transfer-encoding") == "chunked") {
    answer.body = take_chunks();
  } else {
    answer.body = read_all();
  }
  return answer;
}

}  // namespace cortex::frontend
