// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "frontend/http/exchange.h"

namespace cortex::frontend {

[[nodiscard]] std::string_view method_name(Method method);

// What a path and a method mean.
struct RouteMatch {
  enum class Kind { kFound, kNoSuchPath, kNoSuchMethod, kBadPath };
  Kind kind = Kind::kNoSuchPath;
  const Route* route = nullptr;  // set when found
  // With the mount point; lives as long as the table. Of kNoSuchMethod that of another method.
  std::string_view pattern;
  const Api* api =
      nullptr;        // the route's; else the one that owns the longest known prefix, or null
  std::string allow;  // for kNoSuchMethod and OPTIONS: "GET, HEAD, OPTIONS"
  std::vector<std::string> values;  // for {…}, decoded
};

// Every route of every mounted API. Patterns are made of literal segments, "{name}" for exactly one
// segment (which may hold %2F), and "{name*}" as the last one for the rest of the path, slashes
// included. A literal wins over "{name}", which wins over "{name*}". HEAD is answered from GET;
// OPTIONS belongs to the server. Immutable; thread-safe.
class RouteTable {
 public:
  // Fails with kInvalidArgument, naming both owners, when two routes have one method and one shape
  // of path; and for a pattern that does not begin with '/' or holds a malformed segment. All
  // faults are named at once.
  [[nodiscard]] static Result<RouteTable> build(std::vector<Api> apis);

  RouteTable(RouteTable&&) noexcept;
  RouteTable& operator=(RouteTable&&) noexcept;
  ~RouteTable();

  // `path` as it came, escapes included.
  [[nodiscard]] RouteMatch match(Method method, std::string_view path) const;

  // The mounted APIs, in the order given.
  [[nodiscard]] const std::vector<Api>& apis() const;

 private:
  struct Impl;
  explicit RouteTable(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace cortex::frontend
