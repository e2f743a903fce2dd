// SPDX-License-Identifier: Apache-2.0
#include "net/socket.h"

#include <fcntl.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <system_error>

namespace cortex::net {
namespace {

Status broken(std::string_view what, int error) {
  return unavailable(std::string(what) + ": " + std::generic_category().message(error));
}

int milliseconds_until(TimePoint deadline) {
  if (deadline == kNoDeadline) return -1;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - steady_clock().now());
  return static_cast<int>(std::clamp<std::int64_t>(left.count(), 0, 1'000'000'000));
}

int open_socket(const addrinfo& address) {
  const int fd = ::socket(address.ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return fd;
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return fd;
}

int pending_error(int fd) {
  int error = 0;
  socklen_t size = sizeof error;
  getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
  return error;
}

}  // namespace

Socket& Socket::operator=(Socket&& other) noexcept {
  if (this == &other) return *this;
  close();
  fd_ = std::exchange(other.fd_, -1);
  interrupt_ = other.interrupt_;
  return *this;
}

void Socket::close() {
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

Status Socket::wait(Ready ready, TimePoint deadline) const {
  const short events = ready == Ready::kRead ? POLLIN : POLLOUT;
  pollfd entries[] = {{fd_, events, 0}, {interrupt_, POLLIN, 0}};  // poll skips what is below 0
  for (;;) {
    const int events_now = ::poll(entries, 2, milliseconds_until(deadline));
    if (events_now > 0 && entries[1].revents != 0) return cancelled("interrupted");
    if (events_now > 0) return {};
    if (events_now == 0) return deadline_exceeded("no answer in time");
    if (errno != EINTR) return broken("poll", errno);
  }
}

bool Socket::has_input() const {
  pollfd entry{fd_, POLLIN, 0};
  return ::poll(&entry, 1, 0) != 0;
}

Result<Socket> Socket::connect(
    const std::string& host,
    const std::string& port,
    TimePoint deadline,
    const AddressFilter& allowed
) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* list = nullptr;
  const int failed = getaddrinfo(host.c_str(), port.c_str(), &hints, &list);
  if (failed != 0) return unavailable("cannot resolve '" + host + "': " + gai_strerror(failed));
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> owner(list, &freeaddrinfo);

  Status last = unavailable("'" + host + "' has no address");
  for (const addrinfo* at = list; at != nullptr; at = at->ai_next) {
    if (allowed && !allowed(*at->ai_addr)) {
      last = permission_denied("'" + host + "' leads to an address that is not allowed");
      continue;
    }
    Socket socket(open_socket(*at));
    if (!socket.open()) continue;
    int error = ::connect(socket.fd_, at->ai_addr, at->ai_addrlen) == 0 ? 0 : errno;
    if (error == EINPROGRESS) {
      CORTEX_RETURN_IF_ERROR(socket.wait(Ready::kWrite, deadline));
      error = pending_error(socket.fd_);
    }
    if (error == 0) return socket;
    last = broken("cannot connect to " + host + ":" + port, error);
  }
  return last;
}

Status Socket::write(std::string_view first, std::string_view second, TimePoint deadline) {
  while (!first.empty() || !second.empty()) {
    iovec parts[] = {
        {const_cast<char*>(first.data()), first.size()},
        {const_cast<char*>(second.data()), second.size()},
    };
    msghdr message{};
    message.msg_iov = parts;
    message.msg_iovlen = 2;
    const ssize_t sent = ::sendmsg(fd_, &message, MSG_NOSIGNAL);
    if (sent < 0) {
      if (errno == EINTR) continue;
      if (errno != EAGAIN) return broken("the connection broke", errno);
      CORTEX_RETURN_IF_ERROR(wait(Ready::kWrite, deadline));
      continue;
    }
    const auto of_first = std::min(first.size(), static_cast<std::size_t>(sent));
    first.remove_prefix(of_first);
    second.remove_prefix(static_cast<std::size_t>(sent) - of_first);
  }
  return {};
}

Result<std::size_t> Socket::read(std::span<char> into, TimePoint deadline) {
  for (;;) {
    const ssize_t got = ::recv(fd_, into.data(), into.size(), 0);
    if (got >= 0) return static_cast<std::size_t>(got);
    if (errno == EINTR) continue;
    if (errno != EAGAIN) return broken("the connection broke", errno);
    CORTEX_RETURN_IF_ERROR(wait(Ready::kRead, deadline));
  }
}

}  // namespace cortex::net
