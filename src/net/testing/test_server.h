// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace cortex::net {

// A certificate for `host` (a name or an address), signed by itself, and its key: PEM.
struct TestCertificate {
  std::string certificate;
  std::string key;
};
[[nodiscard]] TestCertificate make_test_certificate(const std::string& host);

// A server on a free port of 127.0.0.1 whose connections a test plays by hand, each on a thread of
// its own.
class TestServer {
 public:
  // One connection, seen from the server.
  class Peer {
   public:
    virtual ~Peer() = default;
    // What came up to the end of a head, with the body that its length announces; "" when the
    // client left before.
    virtual std::string read_request() = 0;
    // False when the client left.
    virtual bool send(std::string_view bytes) = 0;
    // Until the client leaves or the server ends.
    virtual void wait_for_end() = 0;
    // Leaves without TLS's good-bye.
    virtual void cut() = 0;
  };
  // Plays the connection of that number, counted from 0; it closes when the function returns.
  using Play = std::function<void(Peer&, int connection)>;

  explicit TestServer(Play play);
  TestServer(const TestCertificate& certificate, Play play);  // https
  // Ends the connections.
  ~TestServer();

  [[nodiscard]] int port() const;
  [[nodiscard]] std::string url() const;  // by address
  // What all clients sent, in the order of its reading. Ends the server.
  [[nodiscard]] std::string received();
  [[nodiscard]] int connections() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace cortex::net
