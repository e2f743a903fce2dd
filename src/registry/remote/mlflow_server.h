// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "net/http_pool.h"
#include "registry/remote/remote_registry.h"

namespace cortex::registry {

struct MlflowServerOptions {
  std::string url;                            // the tracking URI: http(s)://host[:port][/path]
  std::string token;                          // sent as a bearer token; empty: none
  std::string ca_file;                        // of https; empty: the system's certificates
  std::chrono::milliseconds timeout{30'000};  // of one call; of a download without a byte
};

// An MLflow server, 2.x or 3.x, whose artifacts are had through its own proxy (mlflow-artifacts:);
// what lies anywhere else is kFailedPrecondition: no address that the server names is ever called.
class MlflowServer final : public RemoteRegistry {
 public:
  // kInvalidArgument for a URL that is none; kFailedPrecondition when the certificates cannot be
  // read.
  [[nodiscard]] static Result<std::unique_ptr<MlflowServer>> make(const MlflowServerOptions& options
  );

  [[nodiscard]] Result<RemoteModel> find_model(const std::string& name) override;
  [[nodiscard]] Result<RemoteVersion> find_version(const std::string& name, std::int64_t version)
      override;
  [[nodiscard]] Result<std::string> location(const std::string& name, std::int64_t version)
      override;
  [[nodiscard]] Result<std::vector<RemoteFile>> files(const std::string& location) override;
  [[nodiscard]] Status download(
      const std::string& location, const RemoteFile& file, const Sink& sink
  ) override;

 private:
  MlflowServer(MlflowServerOptions options, std::unique_ptr<net::HttpPool> pool)
      : options_(std::move(options)), pool_(std::move(pool)) {}

  const MlflowServerOptions options_;
  const std::unique_ptr<net::HttpPool> pool_;
};

}  // namespace cortex::registry
