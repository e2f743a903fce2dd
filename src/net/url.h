// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "base/status.h"

namespace cortex::net {

// Where a call goes and what it asks for there.
struct Url {
  bool tls = false;    // https
  std::string host;    // a name, or an address without brackets
  std::string port;    // the scheme's own where the text has none
  std::string target;  // path and query as they stand; empty when the text ends with the port

  // "host:port" as the header Host has it; the port only where it is not the scheme's own.
  [[nodiscard]] std::string authority() const;
  // Scheme, host and port: what a connection can be used for.
  [[nodiscard]] std::string origin() const;
};

// kInvalidArgument, naming `text`, for what is not http(s)://HOST[:PORT][/PATH][?QUERY] in visible
// ASCII: user names, fragments and spaces are refused.
[[nodiscard]] Result<Url> parse_url(std::string_view text);

}  // namespace cortex::net
