// SPDX-License-Identifier: Apache-2.0
#include "net/detail/channel.h"

#include <utility>

#include "base/check.h"

namespace cortex::net {
namespace {

// Up to this size head and body share a record.
constexpr std::size_t kTogetherBytes = 16 * 1024;

}  // namespace

Result<std::unique_ptr<Channel>> Channel::open(
    const Url& url, const TlsContext* tls, TimePoint deadline, const AddressFilter& allowed
) {
  CORTEX_ASSIGN_OR_RETURN(Socket socket, Socket::connect(url.host, url.port, deadline, allowed));
  std::unique_ptr<Channel> channel(new Channel(std::move(socket)));
  if (!url.tls) return channel;
  CHECK(tls != nullptr, "https has a TLS context");
  CORTEX_ASSIGN_OR_RETURN(
      channel->session_, TlsSession::open(*tls, channel->socket_, url.host, deadline)
  );
  return channel;
}

Status Channel::write(std::string_view first, std::string_view second, TimePoint deadline) {
  if (!session_) return socket_.write(first, second, deadline);
  if (first.size() + second.size() <= kTogetherBytes) {
    return session_->write(std::string(first).append(second), deadline);
  }
  CORTEX_RETURN_IF_ERROR(session_->write(first, deadline));
  return session_->write(second, deadline);
}

Result<std::size_t> Channel::read(std::span<char> into, TimePoint deadline) {
  return session_ ? session_->read(into, deadline) : socket_.read(into, deadline);
}

bool Channel::has_input() const { return session_ ? session_->has_input() : socket_.has_input(); }

}  // namespace cortex::net
