// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "base/status.h"

struct sockaddr;

namespace cortex::connectors {

// An address that somebody else named.
struct WebhookUrl {
  std::string base;    // "https://host:8443"
  std::string host;    // without brackets
  std::string target;  // "/path?query", at least "/"
};

// kInvalidArgument: another scheme than http and https, no host, a name and password, characters
// that no URL holds, a number that is no canonical address, or longer than 2000 bytes. Pure.
[[nodiscard]] Result<WebhookUrl> parse_webhook_url(std::string_view url);

// Whether an address is one of the public internet: none of this machine, of private networks, of
// links, of groups or of documentation, also not inside of an IPv6 address that carries it (mapped,
// 6to4, NAT64). Pure.
[[nodiscard]] bool is_public_address(const sockaddr& address);

// True unless the host is an address that is written out and not public.
[[nodiscard]] bool may_be_public(const std::string& host);

// "xxxxxxxx-xxxx-…" of 16 bytes.
[[nodiscard]] std::string uuid_text(std::span<const unsigned char, 16> bytes);

}  // namespace cortex::connectors
