// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace cortex::frontend {

// A request target cut in two; both parts as they came, pointing into it.
struct Target {
  std::string_view path;   // begins with '/'; "*" for the server as a whole
  std::string_view query;  // without '?'
};

// Takes the origin form ("/a?b"), the absolute form ("http://host/a?b") and "*". Empty for anything
// else.
[[nodiscard]] std::optional<Target> split_target(std::string_view target);

// Appends `text` with %XX decoded. False on a bad escape and on a decoded control character; `out`
// is then unspecified.
[[nodiscard]] bool percent_decode(std::string_view text, std::string& out);

}  // namespace cortex::frontend
