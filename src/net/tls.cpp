// SPDX-License-Identifier: Apache-2.0
#include "net/tls.h"

#include <arpa/inet.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <system_error>
#include <utility>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "base/check.h"

namespace cortex::net {
namespace {

std::string last_error() {
  const unsigned long error = ERR_get_error();
  ERR_clear_error();
  if (error == 0) return "no reason given";
  const char* reason = ERR_reason_error_string(error);
  return reason != nullptr ? reason : "error " + std::to_string(error);
}

// Bytes go out by send(), because a peer that left must not end the process by SIGPIPE.
int descriptor_of(BIO* bio) { return static_cast<const Socket*>(BIO_get_data(bio))->descriptor(); }

int socket_write(BIO* bio, const char* bytes, int size) {
  BIO_clear_retry_flags(bio);
  const ssize_t sent =
      ::send(descriptor_of(bio), bytes, static_cast<std::size_t>(size), MSG_NOSIGNAL);
  if (sent < 0 && (errno == EAGAIN || errno == EINTR)) BIO_set_retry_write(bio);
  return static_cast<int>(sent);
}

int socket_read(BIO* bio, char* into, int size) {
  BIO_clear_retry_flags(bio);
  const ssize_t got = ::recv(descriptor_of(bio), into, static_cast<std::size_t>(size), 0);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) BIO_set_retry_read(bio);
  if (got == 0) BIO_set_flags(bio, BIO_FLAGS_IN_EOF);
  return static_cast<int>(got);
}

long socket_control(BIO* bio, int command, long, void*) {
  if (command == BIO_CTRL_FLUSH) return 1;
  if (command == BIO_CTRL_EOF) return BIO_test_flags(bio, BIO_FLAGS_IN_EOF) != 0 ? 1 : 0;
  return 0;
}

BIO_METHOD* socket_method() {
  static BIO_METHOD* const method = [] {
    BIO_METHOD* made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "cortex socket");
    CHECK(made != nullptr, "TLS has memory");
    BIO_meth_set_write(made, &socket_write);
    BIO_meth_set_read(made, &socket_read);
    BIO_meth_set_ctrl(made, &socket_control);
    return made;
  }();
  return method;
}

bool is_address(const std::string& host) {
  std::array<unsigned char, sizeof(in6_addr)> out{};
  return ::inet_pton(AF_INET, host.c_str(), out.data()) == 1 ||
         ::inet_pton(AF_INET6, host.c_str(), out.data()) == 1;
}

}  // namespace

struct TlsContext::Impl {
  Impl() : context(SSL_CTX_new(TLS_client_method())) {
    CHECK(context != nullptr, "TLS has memory");
    SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
    SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  }
  ~Impl() { SSL_CTX_free(context); }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  SSL_CTX* context;
};

TlsContext::TlsContext(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
TlsContext::~TlsContext() = default;

Result<std::shared_ptr<const TlsContext>> TlsContext::make(const TlsOptions& options) {
  ERR_clear_error();
  auto impl = std::make_unique<Impl>();
  const bool loaded = options.ca_file.empty()
                          ? SSL_CTX_set_default_verify_paths(impl->context) == 1
                          : SSL_CTX_load_verify_file(impl->context, options.ca_file.c_str()) == 1;
  if (loaded) return std::shared_ptr<const TlsContext>(new TlsContext(std::move(impl)));
  const std::string name = options.ca_file.empty() ? "of the system" : "'" + options.ca_file + "'";
  return failed_precondition("the CA certificates " + name + ": " + last_error());
}

struct TlsSession::Impl {
  Impl(SSL_CTX* context, Socket& over) : socket(over), ssl(SSL_new(context)) {
    CHECK(ssl != nullptr, "TLS has memory");
    BIO* bio = BIO_new(socket_method());
    CHECK(bio != nullptr, "TLS has memory");
    BIO_set_data(bio, &socket);
    BIO_set_init(bio, 1);
    SSL_set_bio(ssl, bio, bio);
  }
  ~Impl() { SSL_free(ssl); }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  // After a call that came back with `result`: OK when it is to be made again.
  Status retry(int result, TimePoint deadline, std::string_view what) {
    const int error = errno;
    switch (SSL_get_error(ssl, result)) {
      case SSL_ERROR_WANT_READ:
        return socket.wait(Socket::Ready::kRead, deadline);
      case SSL_ERROR_WANT_WRITE:
        return socket.wait(Socket::Ready::kWrite, deadline);
      case SSL_ERROR_SYSCALL:
        broken = true;
        return unavailable(std::string(what) + ": " + std::generic_category().message(error));
      default:
        broken = true;
        return unavailable(std::string(what) + ": " + last_error());
    }
  }

  Socket& socket;
  SSL* ssl;
  bool broken = false;
};

TlsSession::TlsSession(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

TlsSession::~TlsSession() {
  ERR_clear_error();
  if (!impl_->broken && impl_->socket.open()) SSL_shutdown(impl_->ssl);
}

Result<std::unique_ptr<TlsSession>> TlsSession::open(
    const TlsContext& context, Socket& socket, const std::string& host, TimePoint deadline
) {
  std::unique_ptr<TlsSession> session(
      new TlsSession(std::make_unique<Impl>(context.impl().context, socket))
  );
  SSL* ssl = session->impl_->ssl;
  // It takes addresses too.
  CHECK(SSL_set1_host(ssl, host.c_str()) == 1, "TLS has memory");
  SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
  if (!is_address(host)) SSL_set_tlsext_host_name(ssl, host.c_str());
  for (;;) {
    ERR_clear_error();
    const int result = SSL_connect(ssl);
    if (result == 1) return session;
    const Status status = session->impl_->retry(result, deadline, "no TLS with '" + host + "'");
    const long verified = SSL_get_verify_result(ssl);
    if (verified != X509_V_OK) {
      return failed_precondition(
          "the certificate of '" + host + "': " + X509_verify_cert_error_string(verified)
      );
    }
    CORTEX_RETURN_IF_ERROR(status);
  }
}

Status TlsSession::write(std::string_view bytes, TimePoint deadline) {
  while (!bytes.empty()) {
    ERR_clear_error();
    std::size_t written = 0;
    const int result = SSL_write_ex(impl_->ssl, bytes.data(), bytes.size(), &written);
    if (result == 1) {
      bytes.remove_prefix(written);
      continue;
    }
    CORTEX_RETURN_IF_ERROR(impl_->retry(result, deadline, "the connection broke"));
  }
  return {};
}

Result<std::size_t> TlsSession::read(std::span<char> into, TimePoint deadline) {
  for (;;) {
    ERR_clear_error();
    std::size_t got = 0;
    const int result = SSL_read_ex(impl_->ssl, into.data(), into.size(), &got);
    if (result == 1) return got;
    if (SSL_get_error(impl_->ssl, result) == SSL_ERROR_ZERO_RETURN) return std::size_t{0};
    CORTEX_RETURN_IF_ERROR(impl_->retry(result, deadline, "the connection broke"));
  }
}

bool TlsSession::has_input() const {
  ERR_clear_error();
  char byte = 0;
  const int got = SSL_peek(impl_->ssl, &byte, 1);
  return got > 0 || SSL_get_error(impl_->ssl, got) != SSL_ERROR_WANT_READ;
}

}  // namespace cortex::net
