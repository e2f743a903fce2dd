// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "base/status.h"

namespace cortex::registry {

// A version on another server.
struct RemoteVersion {
  std::int64_t number = 0;
  std::string stage;       // "Production"; empty or "None": in none
  std::string created_at;  // as the server says it: tells a version from one of the same number
  bool ready = false;
};

struct RemoteModel {
  std::string name;
  std::map<std::string, std::int64_t> aliases;
  std::vector<RemoteVersion> latest;  // the newest of every stage
};

struct RemoteFile {
  std::string path;  // inside the version's folder, parts with '/' between
  std::uint64_t size = 0;
};

// A model registry on another machine. Functions block, and end by their time-out; an error says
// what could not be had and is safe to show. kNotFound: the server itself says that there is none;
// kFailedPrecondition: it is there, and can never be had from here; kResourceExhausted: it is too
// much; anything else may go better another time. Thread: one at a time.
class RemoteRegistry {
 public:
  using Sink = std::function<Status(std::span<const std::byte>)>;

  virtual ~RemoteRegistry() = default;

  [[nodiscard]] virtual Result<RemoteModel> find_model(const std::string& name) = 0;
  [[nodiscard]] virtual Result<RemoteVersion> find_version(
      const std::string& name, std::int64_t version
  ) = 0;
  // Where the files of a version lie, in the server's own words.
  [[nodiscard]] virtual Result<std::string> location(
      const std::string& name, std::int64_t version
  ) = 0;
  // Every file below a location; their paths are safe, kVersionFilesMax at most.
  [[nodiscard]] virtual Result<std::vector<RemoteFile>> files(const std::string& location) = 0;
  // Gives the bytes of one file to `sink`, piece by piece; its error ends the download.
  [[nodiscard]] virtual Status download(
      const std::string& location, const RemoteFile& file, const Sink& sink
  ) = 0;
};

}  // namespace cortex::registry
