// SPDX-License-Identifier: Apache-2.0
#include "connectors/webhook_url.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <optional>

namespace cortex::connectors {
namespace {

constexpr std::size_t kUrlBytesMax = 2000;

Status refused(const std::string& why) { return invalid_argument("Invalid webhook URL: " + why); }

struct Network {
  std::uint32_t first;
  unsigned bits;
};

// What the registry of special-purpose addresses says is not globally reachable, and groups.
constexpr auto kNotPublic = std::to_array<Network>({
    {0x00000000, 8},   // this network
    {0x0A000000, 8},   // private
    {0x64400000, 10},  // shared by carriers
    {0x7F000000, 8},   // this machine
    {0xA9FE0000, 16},  // links
    {0xAC100000, 12},  // private
    {0xC0000000, 24},  // protocols
    {0xC0000200, 24},  // documentation
    {0xC0586300, 24},  // 6to4 relays
    {0xC0A80000, 16},  // private
    {0xC6120000, 15},  // benchmarks
    {0xC6336400, 24},  // documentation
    {0xCB007100, 24},  // documentation
    {0xE0000000, 4},   // groups
    {0xF0000000, 4},   // reserved, and everybody
});

bool is_public_v4(std::uint32_t address) {
  return std::none_of(kNotPublic.begin(), kNotPublic.end(), [address](const Network& network) {
    const unsigned shift = 32 - network.bits;
    return address >> shift == network.first >> shift;
  });
}

std::uint32_t number_at(const std::uint8_t* bytes) {
  return static_cast<std::uint32_t>(bytes[0]) << 24 | static_cast<std::uint32_t>(bytes[1]) << 16 |
         static_cast<std::uint32_t>(bytes[2]) << 8 | bytes[3];
}

bool begins_with(const std::uint8_t* bytes, std::initializer_list<std::uint8_t> prefix) {
  return std::equal(prefix.begin(), prefix.end(), bytes);
}

bool is_public_v6(const std::uint8_t* bytes) {
  if (begins_with(bytes, {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF})) {
    return is_public_v4(number_at(bytes + 12));
  }
  if (begins_with(bytes, {0x00, 0x64, 0xFF, 0x9B, 0, 0, 0, 0, 0, 0, 0, 0})) {
    return is_public_v4(number_at(bytes + 12));
  }
  if (begins_with(bytes, {0x20, 0x02})) return is_public_v4(number_at(bytes + 2));
  // Of the global unicast block, without protocols, Teredo and documentation.
  if ((bytes[0] & 0xE0) != 0x20) return false;
  if (begins_with(bytes, {0x20, 0x01}) && (bytes[2] & 0xFE) == 0) return false;
  if (begins_with(bytes, {0x20, 0x01, 0x0D, 0xB8})) return false;
  return !(begins_with(bytes, {0x3F, 0xFF}) && (bytes[2] & 0xF0) == 0);
}

bool is_url_character(char c) {
  return c > 0x20 && c < 0x7F && std::string_view("\"<>\\^`{|}").find(c) == std::string_view::npos;
}

bool is_host_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '.' || c == '_';
}

bool is_port(std::string_view text) {
  return !text.empty() && text.size() <= 5 &&
         text.find_first_not_of("0123456789") == std::string_view::npos;
}

std::optional<sockaddr_storage> read_address(const std::string& host) {
  sockaddr_storage out{};
  auto* v4 = reinterpret_cast<sockaddr_in*>(&out);
  auto* v6 = reinterpret_cast<sockaddr_in6*>(&out);
  if (::inet_pton(AF_INET, host.c_str(), &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    return out;
  }
  if (::inet_pton(AF_INET6, host.c_str(), &v6->sin6_addr) == 1) {
    v6->sin6_family = AF_INET6;
    return out;
  }
  return std::nullopt;
}

// "127.1" and "0177.0.0.1" are read as addresses by some and as others by others.
bool is_odd_number(const std::string& host) {
  const std::string_view last = std::string_view(host).substr(host.rfind('.') + 1);
  const bool number = last.find_first_not_of("0123456789") == std::string_view::npos ||
                      last.starts_with("0x") || last.starts_with("0X");
  return number && !read_address(host);
}

// "host", "host:port" or "[address]:port".
Status read_authority(std::string_view authority, WebhookUrl& out) {
  if (authority.find('@') != std::string_view::npos) return refused("it must not hold a password.");
  std::string_view rest;
  if (authority.starts_with('[')) {
    const std::size_t end = authority.find(']');
    if (end == std::string_view::npos) return refused("its host is not closed.");
    out.host = authority.substr(1, end - 1);
    rest = authority.substr(end + 1);
    if (out.host.find(':') == std::string::npos || !read_address(out.host)) {
      return refused("its host is no address.");
    }
  } else {
    const std::size_t colon = std::min(authority.find(':'), authority.size());
    out.host = authority.substr(0, colon);
    rest = authority.substr(colon);
    const bool good = std::all_of(out.host.begin(), out.host.end(), is_host_character);
    if (out.host.empty() || !good) return refused("it must include a hostname.");
    if (is_odd_number(out.host)) return refused("its host is not a canonical IP address literal.");
  }
  if (rest.empty() || (rest.front() == ':' && is_port(rest.substr(1)))) return {};
  return refused("its port is none.");
}

}  // namespace

Result<WebhookUrl> parse_webhook_url(std::string_view url) {
  if (url.size() > kUrlBytesMax) return refused("it is longer than 2000 bytes.");
  if (!std::all_of(url.begin(), url.end(), is_url_character)) {
    return refused("it is empty, or holds characters that must be encoded.");
  }
  const std::size_t colon = url.find("://");
  const std::string_view scheme = url.substr(0, colon);
  if (colon == std::string_view::npos || (scheme != "http" && scheme != "https")) {
    return refused("allowed schemes are http and https.");
  }
  const std::string_view behind = url.substr(colon + 3);
  const std::size_t end = std::min(behind.find_first_of("/?#"), behind.size());
  WebhookUrl out;
  CORTEX_RETURN_IF_ERROR(read_authority(behind.substr(0, end), out));
  out.base = url.substr(0, colon + 3 + end);
  const std::string_view target = behind.substr(end);
  out.target = target.substr(0, target.find('#'));
  if (!out.target.starts_with('/')) out.target.insert(0, "/");
  return out;
}

bool is_public_address(const sockaddr& address) {
  if (address.sa_family == AF_INET) {
    sockaddr_in v4{};
    std::memcpy(&v4, &address, sizeof v4);
    return is_public_v4(ntohl(v4.sin_addr.s_addr));
  }
  if (address.sa_family != AF_INET6) return false;
  sockaddr_in6 v6{};
  std::memcpy(&v6, &address, sizeof v6);
  return is_public_v6(v6.sin6_addr.s6_addr);
}

bool may_be_public(const std::string& host) {
  const auto address = read_address(host);
  return !address || is_public_address(reinterpret_cast<const sockaddr&>(*address));
}

std::string uuid_text(std::span<const unsigned char, 16> bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string out;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) out.push_back('-');
    out.push_back(kDigits[bytes[i] >> 4]);
    out.push_back(kDigits[bytes[i] & 15]);
  }
  return out;
}

}  // namespace cortex::connectors
