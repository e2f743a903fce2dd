// SPDX-License-Identifier: Apache-2.0
#include "net/http_client.h"

#include "net/detail/channel.h"
#include "net/detail/http_exchange.h"
#include "net/detail/request_head.h"
#include "net/url.h"

namespace cortex::net {
namespace {

constexpr std::size_t kHeaderBytesMax = 64 * 1024;

}  // namespace

class HttpClient::Impl {
 public:
  Impl(HttpClientOptions options, Url url, std::shared_ptr<const TlsContext> tls)
      : options_(std::move(options)), url_(std::move(url)), tls_(std::move(tls)) {}

  Result<HttpAnswer> send(const HttpCall& call, const HttpSink& sink) {
    const TimePoint deadline = steady_clock().now() + options_.timeout;
    const std::string target = url_.target + std::string(call.target);
    CORTEX_ASSIGN_OR_RETURN(
        const std::string head,
        request_head(url_, {call.method, target}, headers_of(call), call.body.size())
    );
    const ExchangeRequest request{head, call.body, call.method == "HEAD"};
    if (channel_ && !channel_->has_input()) {
      bool again = is_idempotent(call.method);
      auto answer = exchange(request, sink, deadline, again);
      if (!again) return answer;
    }
    CORTEX_ASSIGN_OR_RETURN(channel_, Channel::open(url_, tls_.get(), deadline));
    channel_->interrupt_by(options_.interrupt);
    bool again = false;
    return exchange(request, sink, deadline, again);
  }

 private:
  // `again`: whether the call may be sent a second time, before and after.
  Result<HttpAnswer> exchange(
      const ExchangeRequest& request, const HttpSink& sink, TimePoint deadline, bool& again
  ) {
    const auto stall =
        options_.stall_timeout.count() > 0 ? options_.stall_timeout : options_.timeout;
    HttpExchange one(*channel_, {stall, kHeaderBytesMax, options_.body_bytes_max}, deadline);
    HttpStreams streams;
    streams.sink = sink;
    auto answer = one.run(request, streams);
    if (!one.reusable()) channel_.reset();
    const bool closed = !answer.ok() && answer.status().code() == Code::kUnavailable;
    again = again && closed && !one.answered();
    return answer;
  }

  HttpHeaders headers_of(const HttpCall& call) const {
    HttpHeaders out;
    if (!options_.key.empty()) out.emplace_back("Authorization", "Bearer " + options_.key);
    out.insert(out.end(), call.headers.begin(), call.headers.end());
    if (!call.body.empty()) out.emplace_back("Content-Type", call.content_type);
    return out;
  }

  HttpClientOptions options_;
  Url url_;  // its target goes before that of every call
  std::shared_ptr<const TlsContext> tls_;
  std::unique_ptr<Channel> channel_;
};

HttpClient::HttpClient(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
HttpClient::HttpClient(HttpClient&&) noexcept = default;
HttpClient& HttpClient::operator=(HttpClient&&) noexcept = default;
HttpClient::~HttpClient() = default;

Result<HttpClient> HttpClient::make(HttpClientOptions options) {
  CORTEX_ASSIGN_OR_RETURN(Url url, parse_url(options.url));
  while (url.target.ends_with('/')) url.target.pop_back();
  std::shared_ptr<const TlsContext> tls;
  if (url.tls) {
    CORTEX_ASSIGN_OR_RETURN(tls, TlsContext::make({options.ca_file}));
  }
  return HttpClient(std::make_unique<Impl>(std::move(options), std::move(url), std::move(tls)));
}

Result<HttpAnswer> HttpClient::send(const HttpCall& call) { return impl_->send(call, HttpSink()); }

Result<HttpAnswer> HttpClient::send(const HttpCall& call, const HttpSink& sink) {
  return impl_->send(call, sink);
}

}  // namespace cortex::net
