// SPDX-License-Identifier: Apache-2.0
// The yardstick of `make bench`: one thread, one epoll set, one canned reply. It finds the end of
// each request and does nothing else a server must do (no routing, no limits, no time-outs), so no
// server on this machine can be much faster.
//
//   bare_loop REPLY_BYTES      listens on a free loopback port, prints it, runs until SIGTERM

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <unordered_map>

namespace {

constexpr std::string_view kLengthHeader = "Content-Length: ";

// Bytes of the request at the front of `in`, 0 while it is incomplete.
std::size_t request_size(std::string_view in) {
  const std::size_t head = in.find("\r\n\r\n");
  if (head == std::string_view::npos) return 0;
  const std::size_t at = in.substr(0, head).find(kLengthHeader);
  const std::size_t body = at == std::string_view::npos
                               ? 0
                               : std::strtoul(in.data() + at + kLengthHeader.size(), nullptr, 10);
  const std::size_t size = head + 4 + body;
  return in.size() < size ? 0 : size;
}

// False when the client left.
bool answer(int fd, std::string& pending, std::string_view reply) {
  std::array<char, 65536> chunk{};
  const ssize_t got = read(fd, chunk.data(), chunk.size());
  if (got <= 0) return false;
  pending.append(chunk.data(), static_cast<std::size_t>(got));
  while (const std::size_t size = request_size(pending)) {
    pending.erase(0, size);
    if (write(fd, reply.data(), reply.size()) < 0) return false;
  }
  return true;
}

int listen_on_free_port() {
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  if (bind(fd, reinterpret_cast<sockaddr*>(&address), size) != 0 || listen(fd, 1024) != 0)
    std::exit(1);
  getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
  std::printf("%d\n", ntohs(address.sin_port));
  std::fflush(stdout);
  return fd;
}

void watch(int set, int fd) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = fd;
  epoll_ctl(set, EPOLL_CTL_ADD, fd, &event);
}

}  // namespace

int main(int argc, char** argv) {
  const std::size_t body = argc > 1 ? std::strtoul(argv[1], nullptr, 10) : 64;
  const std::string reply =
      "HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: " +
      std::to_string(body) + "\r\n\r\n" + std::string(body, 'x');
  const int listener = listen_on_free_port();
  const int set = epoll_create1(0);
  watch(set, listener);
  std::unordered_map<int, std::string> pending;
  std::array<epoll_event, 128> events{};
  while (true) {
    const int ready = epoll_wait(set, events.data(), static_cast<int>(events.size()), -1);
    for (int i = 0; i < ready; ++i) {
      const int fd = events[static_cast<std::size_t>(i)].data.fd;
      if (fd == listener) {
        const int client = accept(listener, nullptr, nullptr);
        const int on = 1;
        setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        watch(set, client);
      } else if (!answer(fd, pending[fd], reply)) {
        pending.erase(fd);
        close(fd);
      }
    }
  }
}
