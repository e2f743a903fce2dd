// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/status.h"
#include "net/socket.h"

namespace cortex::net {

struct TlsOptions {
  std::string ca_file;  // PEM; empty: the system's certificates
};

// Whom we trust, for many connections. TLS 1.2 and later. Immutable, thread-safe.
class TlsContext {
 public:
  // kFailedPrecondition when the certificates cannot be read.
  [[nodiscard]] static Result<std::shared_ptr<const TlsContext>> make(const TlsOptions& options);
  ~TlsContext();

  struct Impl;
  [[nodiscard]] const Impl& impl() const { return *impl_; }

 private:
  explicit TlsContext(std::unique_ptr<Impl> impl);
  const std::unique_ptr<Impl> impl_;
};

// TLS over a connection, as its client. The server's certificate must be trusted, valid now, and
// made for the host that was asked for. Thread: one at a time.
class TlsSession {
 public:
  // Shakes hands over `socket`, which must outlive the session and stay where it is.
  // kFailedPrecondition, with the reason, for a certificate that is not good.
  [[nodiscard]] static Result<std::unique_ptr<TlsSession>> open(
      const TlsContext& context, Socket& socket, const std::string& host, TimePoint deadline
  );
  // Says good-bye, without waiting for the answer.
  ~TlsSession();

  [[nodiscard]] Status write(std::string_view bytes, TimePoint deadline);
  // At least one byte; 0 at the end that the server announced. An end without announcement is
  // kUnavailable: it may be somebody's cut.
  [[nodiscard]] Result<std::size_t> read(std::span<char> into, TimePoint deadline);
  // Whether read() would not wait. What TLS itself has to say (new session tickets) does not count.
  [[nodiscard]] bool has_input() const;

 private:
  struct Impl;
  explicit TlsSession(std::unique_ptr<Impl> impl);
  const std::unique_ptr<Impl> impl_;
};

}  // namespace cortex::net
