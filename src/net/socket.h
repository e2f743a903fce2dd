// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "base/clock.h"
#include "base/status.h"

struct sockaddr;

namespace cortex::net {

// Which addresses a host may lead to; unset: all. Asked of the very address that is connected to.
using AddressFilter = std::function<bool(const sockaddr& address)>;

// A TCP connection whose every wait has a deadline. Closed when it goes. Thread: one at a time.
class Socket {
 public:
  enum class Ready { kRead, kWrite };

  Socket() = default;
  Socket(Socket&& other) noexcept
      : fd_(std::exchange(other.fd_, -1)), interrupt_(other.interrupt_) {}
  Socket& operator=(Socket&& other) noexcept;
  ~Socket() { close(); }

  // Tries every address of the host in turn. kUnavailable with the reason of the last one;
  // kPermissionDenied when that is not allowed. The look
  // up of a name takes as long as the system's resolver lets it.
  [[nodiscard]] static Result<Socket> connect(
      const std::string& host,
      const std::string& port,
      TimePoint deadline,
      const AddressFilter& allowed = {}
  );

  [[nodiscard]] bool open() const { return fd_ >= 0; }
  // All of `first`, then all of `second`, without copying them together.
  [[nodiscard]] Status write(std::string_view first, std::string_view second, TimePoint deadline);
  // At least one byte; 0 at the end of the stream.
  [[nodiscard]] Result<std::size_t> read(std::span<char> into, TimePoint deadline);
  // From now on every wait ends with kCancelled while `descriptor` is readable, which stays the
  // caller's.
  void interrupt_by(int descriptor) { interrupt_ = descriptor; }
  // kDeadlineExceeded when it is not ready by then.
  [[nodiscard]] Status wait(Ready ready, TimePoint deadline) const;
  // Whether read() would not wait: bytes, the end, or an error are there.
  [[nodiscard]] bool has_input() const;
  [[nodiscard]] int descriptor() const { return fd_; }
  void close();

 private:
  explicit Socket(int fd) : fd_(fd) {}

  int fd_ = -1;
  int interrupt_ = -1;
};

}  // namespace cortex::net
