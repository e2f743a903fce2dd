// SPDX-License-Identifier: Apache-2.0
#include "net/url.h"

#include <algorithm>
#include <cctype>

namespace cortex::net {
namespace {

constexpr std::size_t kUrlBytesMax = 16 * 1024;

bool is_visible(std::string_view text) {
  return std::ranges::all_of(text, [](unsigned char c) { return c > ' ' && c < 0x7f; });
}

bool is_port(std::string_view text) {
  const bool digits = std::ranges::all_of(text, [](unsigned char c) { return std::isdigit(c); });
  return digits && !text.empty() && text.size() <= 5 && std::stoul(std::string(text)) < 65'536;
}

// Host and port out of "host", "host:port", "[address]" or "[address]:port".
bool split_authority(std::string_view text, Url& out) {
  if (text.starts_with('[')) {
    const std::size_t end = text.find(']');
    if (end == std::string_view::npos) return false;
    out.host = text.substr(1, end - 1);
    text.remove_prefix(end + 1);
  } else {
    out.host = text.substr(0, text.find(':'));
    text.remove_prefix(out.host.size());
  }
  if (out.host.empty() || out.host.find_first_of("@[]\\") != std::string::npos) return false;
  if (text.empty()) return true;
  if (!text.starts_with(':')) return false;
  out.port = text.substr(1);
  return is_port(out.port);
}

bool is_default_port(const Url& url) { return url.port == (url.tls ? "443" : "80"); }

}  // namespace

std::string Url::authority() const {
  const bool address = host.find(':') != std::string::npos;
  std::string out = address ? "[" + host + "]" : host;
  if (!is_default_port(*this)) out.append(":").append(port);
  return out;
}

std::string Url::origin() const { return (tls ? "https://" : "http://") + host + " " + port; }

Result<Url> parse_url(std::string_view text) {
  const Status wrong =
      invalid_argument("'" + std::string(text.substr(0, 200)) + "' is not http(s)://HOST[:PORT]");
  if (text.size() > kUrlBytesMax || !is_visible(text)) return wrong;
  if (text.find('#') != std::string_view::npos) return wrong;
  Url out;
  out.tls = text.starts_with("https://");
  if (!out.tls && !text.starts_with("http://")) return wrong;
  text.remove_prefix(out.tls ? 8 : 7);
  out.port = out.tls ? "443" : "80";
  const std::size_t end = std::min(text.find_first_of("/?"), text.size());
  out.target = text.substr(end);
  if (out.target.starts_with('?')) out.target.insert(0, "/");
  if (!split_authority(text.substr(0, end), out)) return wrong;
  return out;
}

}  // namespace cortex::net
