// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "app/application.h"
#include "frontend/http/server.h"
#include "frontend/http/testing/test_server.h"
#include "net/http_client.h"

namespace cortex {

// A server with every part that counts something: a database, a bucket, another registry that it
// follows, keys with limits, models of all kinds, an adapter, probations. Everything lies in a
// folder of its own and ends with it. Thread: one.
class WholeServer {
 public:
  WholeServer();
  ~WholeServer();

  // Starts it, and asks for what leaves a trace in the metrics. The error says what did not go as
  // it should.
  [[nodiscard]] Status start();
  // What /metrics answers now.
  [[nodiscard]] std::string metrics() const;

 private:
  void write_models() const;
  void write_keys() const;
  [[nodiscard]] Status start_bucket();
  [[nodiscard]] config::Settings settings() const;
  [[nodiscard]] Status ask() const;
  [[nodiscard]] Status expect(
      int status,
      std::string_view method,
      std::string_view target,
      std::string_view body,
      std::string_view key
  ) const;
  [[nodiscard]] Result<net::HttpAnswer> send(
      std::string_view method, std::string_view target, std::string_view body, std::string_view key
  ) const;

  const std::filesystem::path folder_;
  frontend::OpenAuthenticator everybody_;
  frontend::RecordList records_;
  std::unique_ptr<frontend::HttpServer> bucket_;  // an S3 server with nothing in it
  std::unique_ptr<app::Application> app_;
};

}  // namespace cortex
