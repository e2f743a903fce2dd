// SPDX-License-Identifier: Apache-2.0
#include "net/testing/test_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <vector>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "base/check.h"
#include "base/mutex.h"
#include "base/thread.h"

namespace cortex::net {
namespace {

std::string text_of(BIO* bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  std::string out(data, static_cast<std::size_t>(size));
  BIO_free(bio);
  return out;
}

// The bytes of the body that a head announces.
std::size_t body_bytes_of(std::string_view head) {
  constexpr std::string_view kName = "Content-Length: ";
  const std::size_t at = head.find(kName);
  if (at == std::string_view::npos) return 0;
  return std::stoul(std::string(head.substr(at + kName.size(), 20)));
}

SSL_CTX* make_context(const TestCertificate& certificate) {
  SSL_CTX* context = SSL_CTX_new(TLS_server_method());
  BIO* text = BIO_new_mem_buf(
      certificate.certificate.data(), static_cast<int>(certificate.certificate.size())
  );
  X509* parsed = PEM_read_bio_X509(text, nullptr, nullptr, nullptr);
  BIO_free(text);
  text = BIO_new_mem_buf(certificate.key.data(), static_cast<int>(certificate.key.size()));
  EVP_PKEY* key = PEM_read_bio_PrivateKey(text, nullptr, nullptr, nullptr);
  BIO_free(text);
  CHECK(SSL_CTX_use_certificate(context, parsed) == 1, "the test's certificate");
  CHECK(SSL_CTX_use_PrivateKey(context, key) == 1, "the test's key");
  X509_free(parsed);
  EVP_PKEY_free(key);
  return context;
}

class Connection final : public TestServer::Peer {
 public:
  Connection(int fd, SSL* ssl) : fd_(fd), ssl_(ssl) {}
  ~Connection() override {
    if (ssl_ != nullptr && !cut_) SSL_shutdown(ssl_);
    SSL_free(ssl_);
  }

  std::string read_request() override {
    std::string text;
    std::size_t wanted = std::string::npos;
    while (text.size() < wanted) {
      if (!read_some(text)) return {};
      const std::size_t end = text.find("\r\n\r\n");
      if (end != std::string::npos) wanted = end + 4 + body_bytes_of(text);
    }
    received += text;
    return text;
  }

  bool send(std::string_view bytes) override {
    while (!bytes.empty()) {
      const auto sent = ssl_ != nullptr
                            ? SSL_write(ssl_, bytes.data(), static_cast<int>(bytes.size()))
                            : ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
  }

  void wait_for_end() override {
    std::string ignored;
    while (read_some(ignored)) ignored.clear();
  }

  void cut() override {
    cut_ = true;
    ::shutdown(fd_, SHUT_RDWR);
  }

  std::string received;

 private:
  bool read_some(std::string& into) {
    char chunk[16 * 1024];
    const auto got =
        ssl_ != nullptr ? SSL_read(ssl_, chunk, sizeof chunk) : ::recv(fd_, chunk, sizeof chunk, 0);
    if (got <= 0) return false;
    into.append(chunk, static_cast<std::size_t>(got));
    return true;
  }

  const int fd_;
  SSL* const ssl_;
  bool cut_ = false;
};

}  // namespace

TestCertificate make_test_certificate(const std::string& host) {
  EVP_PKEY* key = EVP_EC_gen("P-256");
  X509* certificate = X509_new();
  CHECK(key != nullptr && certificate != nullptr, "a test has a certificate");
  X509_set_version(certificate, 2);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
  X509_gmtime_adj(X509_getm_notBefore(certificate), -3600);
  X509_gmtime_adj(X509_getm_notAfter(certificate), 24L * 3600);
  X509_set_pubkey(certificate, key);
  X509_NAME* name = X509_get_subject_name(certificate);
  X509_NAME_add_entry_by_txt(
      name, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>("test"), -1, -1, 0
  );
  X509_set_issuer_name(certificate, name);
  in6_addr address{};
  const bool is_address = ::inet_pton(AF_INET, host.c_str(), &address) == 1;
  const std::string names = (is_address ? "IP:" : "DNS:") + host;
  X509_EXTENSION* extension =
      X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, names.c_str());
  X509_add_ext(certificate, extension, -1);
  X509_EXTENSION_free(extension);
  CHECK(X509_sign(certificate, key, EVP_sha256()) > 0, "a test has a certificate");
  TestCertificate out;
  BIO* text = BIO_new(BIO_s_mem());
  PEM_write_bio_X509(text, certificate);
  out.certificate = text_of(text);
  text = BIO_new(BIO_s_mem());
  PEM_write_bio_PrivateKey(text, key, nullptr, nullptr, 0, nullptr, nullptr);
  out.key = text_of(text);
  X509_free(certificate);
  EVP_PKEY_free(key);
  return out;
}

class TestServer::Impl {
 public:
  Impl(SSL_CTX* context, Play play) : context_(context), play_(std::move(play)) {
    // SSL_write knows no other way.
    if (context_ != nullptr) std::signal(SIGPIPE, SIG_IGN);
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    CHECK(::bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0, "a port");
    CHECK(::listen(listener_, 16) == 0, "a port");
    socklen_t size = sizeof address;
    ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    acceptor_ = Thread("acceptor", [this] { accept_all(); });
  }
  ~Impl() {
    end();
    ::close(listener_);
    SSL_CTX_free(context_);
  }

  void end() {
    ::shutdown(listener_, SHUT_RDWR);
    acceptor_.join();
    {
      MutexLock lock(mutex_);
      for (const int fd : open_) ::shutdown(fd, SHUT_RDWR);
    }
    for (Thread& thread : threads_) thread.join();
  }
  [[nodiscard]] int port() const { return port_; }
  [[nodiscard]] bool tls() const { return context_ != nullptr; }
  [[nodiscard]] int connections() const { return connections_; }
  std::string received() {
    MutexLock lock(mutex_);
    return received_;
  }

 private:
  void accept_all() {
    for (;;) {
      const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      if (fd < 0) return;
      const int number = connections_++;
      {
        MutexLock lock(mutex_);
        open_.push_back(fd);
      }
      threads_.emplace_back("peer", [this, fd, number] { serve(fd, number); });
    }
  }

  void serve(int fd, int number) {
    SSL* ssl = nullptr;
    bool ready = true;
    if (context_ != nullptr) {
      ssl = SSL_new(context_);
      SSL_set_fd(ssl, fd);
      ready = SSL_accept(ssl) == 1;
    }
    std::string received;
    {
      Connection connection(fd, ssl);
      if (ready) play_(connection, number);
      received = connection.received;
    }
    MutexLock lock(mutex_);
    received_ += received;
    std::erase(open_, fd);
    ::close(fd);
  }

  SSL_CTX* const context_;
  const Play play_;
  int listener_ = -1;
  int port_ = 0;
  std::atomic<int> connections_{0};
  Mutex mutex_;
  std::vector<int> open_ GUARDED_BY(mutex_);
  std::string received_ GUARDED_BY(mutex_);
  std::vector<Thread> threads_;  // the acceptor's
  Thread acceptor_;
};

TestServer::TestServer(Play play) : impl_(std::make_unique<Impl>(nullptr, std::move(play))) {}
TestServer::TestServer(const TestCertificate& certificate, Play play)
    : impl_(std::make_unique<Impl>(make_context(certificate), std::move(play))) {}
TestServer::~TestServer() = default;

int TestServer::port() const { return impl_->port(); }
int TestServer::connections() const { return impl_->connections(); }
std::string TestServer::url() const {
  return (impl_->tls() ? "https://127.0.0.1:" : "http://127.0.0.1:") + std::to_string(port());
}
std::string TestServer::received() {
  impl_->end();
  return impl_->received();
}

}  // namespace cortex::net
