// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace cortex::frontend {

// Whole requests as bytes. `more`: further header lines, each with its CRLF.
[[nodiscard]] std::string get(std::string_view path, std::string_view more = {});
[[nodiscard]] std::string post(
    std::string_view path, std::string_view body, std::string_view more = {}
);

// A raw client for tests: it sends exactly the bytes it is given. Every wait ends after ten
// seconds.
class TestClient {
 public:
  explicit TestClient(std::uint16_t port);
  TestClient(TestClient&& other) noexcept : socket_(other.socket_), held_(std::move(other.held_)) {
    other.socket_ = -1;
  }
  TestClient& operator=(TestClient&&) = delete;
  ~TestClient();

  // False when the server has closed the connection.
  bool send(std::string_view bytes) const;
  // Says that nothing more will be sent.
  void half_close() const;
  // Cuts the connection with a reset.
  void reset();

  struct Answer {
    int status = 0;  // 0: the server closed without an answer
    std::string head;
    std::string body;
    [[nodiscard]] std::string header(std::string_view lower_case_name) const;
  };
  // The next answer, framed by Content-Length, chunks or the end of the connection. `bodyless`: it
  // answers a HEAD.
  [[nodiscard]] Answer read_answer(bool bodyless = false);
  // True when the server closes without sending another byte; false after 10 s without either.
  [[nodiscard]] bool is_closed();
  // Everything up to the end of the connection.
  [[nodiscard]] std::string read_all();
  // Some bytes, or none when the connection ended.
  [[nodiscard]] std::string read_some(std::size_t most);

 private:
  bool fill();
  bool fill_until(std::size_t size);
  std::string take(std::size_t size);
  std::string take_chunks();

  int socket_;
  std::string held_;
};

}  // namespace cortex::frontend
