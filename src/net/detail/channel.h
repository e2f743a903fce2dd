// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string_view>

#include "base/clock.h"
#include "base/status.h"
#include "net/socket.h"
#include "net/tls.h"
#include "net/url.h"

namespace cortex::net {

// A connection to a server, with TLS or without. Thread: one at a time.
class Channel {
 public:
  // REQUIRES: `tls` is set where the URL asks for it.
  [[nodiscard]] static Result<std::unique_ptr<Channel>> open(
      const Url& url, const TlsContext* tls, TimePoint deadline, const AddressFilter& allowed = {}
  );

  [[nodiscard]] Status write(std::string_view first, std::string_view second, TimePoint deadline);
  void interrupt_by(int descriptor) { socket_.interrupt_by(descriptor); }
  // At least one byte; 0 at the end.
  [[nodiscard]] Result<std::size_t> read(std::span<char> into, TimePoint deadline);
  // Whether the server said something, if only that it closed.
  [[nodiscard]] bool has_input() const;

 private:
  explicit Channel(Socket socket) : socket_(std::move(socket)) {}

  Socket socket_;
  std::unique_ptr<TlsSession> session_;  // before the socket it goes
};

}  // namespace cortex::net
