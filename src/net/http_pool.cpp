// SPDX-License-Identifier: Apache-2.0
#include "net/http_pool.h"

#include <algorithm>
#include <list>
#include <string>
#include <utility>

#include "base/mutex.h"
#include "net/detail/channel.h"
#include "net/detail/http_exchange.h"
#include "net/detail/request_head.h"
#include "net/url.h"

namespace cortex::net {
class HttpPool::Impl {
 public:
  Impl(const HttpPoolOptions& options, std::shared_ptr<const TlsContext> tls)
      : options_(options), tls_(std::move(tls)) {}

  Result<HttpResponse> send(const HttpRequest& request, const HttpStreams& streams) {
    CORTEX_ASSIGN_OR_RETURN(const Url url, parse_url(request.url));
    const std::uint64_t body_bytes = streams.source ? streams.body_bytes : request.body.size();
    CORTEX_ASSIGN_OR_RETURN(
        const std::string head,
        request_head(url, {request.method, url.target}, request.headers, body_bytes)
    );
    const Call call{
        url,
        {head, request.body, request.method == "HEAD"},
        streams,
        std::min(request.deadline, steady_clock().now() + options_.timeout)
    };
    CORTEX_RETURN_IF_ERROR(enter(call.deadline));
    auto response = run(call, is_idempotent(request.method));
    leave();
    return response;
  }

 private:
  struct Call {
    const Url& url;
    const ExchangeRequest request;
    const HttpStreams& streams;
    const TimePoint deadline;
  };
  struct Idle {
    std::string origin;
    std::unique_ptr<Channel> channel;
    TimePoint since;
  };

  Result<HttpResponse> run(const Call& call, bool idempotent) {
    if (auto channel = take_idle(call.url.origin())) {
      bool again = idempotent;
      auto response = exchange(std::move(channel), call, again);
      if (!again) return response;
    }
    const TimePoint connected =
        std::min(call.deadline, steady_clock().now() + options_.connect_timeout);
    std::shared_ptr<const TlsContext> tls;
    if (call.url.tls) {
      CORTEX_ASSIGN_OR_RETURN(tls, trusted());
    }
    CORTEX_ASSIGN_OR_RETURN(
        auto channel, Channel::open(call.url, tls.get(), connected, options_.allowed)
    );
    bool again = false;
    return exchange(std::move(channel), call, again);
  }

  // `again`: whether the call may be sent a second time, before and after.
  Result<HttpResponse> exchange(std::unique_ptr<Channel> channel, const Call& call, bool& again) {
    const ExchangeLimits limits{
        options_.stall_timeout, options_.header_bytes_max, options_.body_bytes_max
    };
    HttpExchange one(*channel, limits, call.deadline);
    auto response = one.run(call.request, call.streams);
    if (one.reusable()) keep(call.url.origin(), std::move(channel));
    const bool closed = !response.ok() && response.status().code() == Code::kUnavailable;
    again = again && closed && !one.answered() && !one.source_used();
    return response;
  }

  // The system's certificates are many: they are read when the first call wants them.
  Result<std::shared_ptr<const TlsContext>> trusted() {
    MutexLock lock(mutex_);
    if (!tls_) {
      CORTEX_ASSIGN_OR_RETURN(tls_, TlsContext::make(options_.tls));
    }
    return tls_;
  }

  Status enter(TimePoint deadline) {
    MutexLock lock(mutex_);
    while (in_use_ >= options_.connections) {
      if (left_.wait_until(mutex_, deadline)) continue;
      return resource_exhausted(
          "all " + std::to_string(options_.connections) + " outgoing connections are in use"
      );
    }
    ++in_use_;
    return {};
  }
  void leave() {
    MutexLock lock(mutex_);
    --in_use_;
    left_.notify_one();
  }

  // One that the server has not closed, the youngest first; null when there is none.
  std::unique_ptr<Channel> take_idle(const std::string& origin) {
    std::list<Idle> dropped;  // closed outside of the lock
    MutexLock lock(mutex_);
    const TimePoint oldest = steady_clock().now() - options_.idle_timeout;
    for (auto at = idle_.begin(); at != idle_.end();) {
      const auto next = std::next(at);
      const bool usable = at->since >= oldest && !at->channel->has_input();
      if (usable && at->origin == origin) {
        auto channel = std::move(at->channel);
        idle_.erase(at);
        return channel;
      }
      if (!usable) dropped.splice(dropped.end(), idle_, at);
      at = next;
    }
    return nullptr;
  }

  void keep(const std::string& origin, std::unique_ptr<Channel> channel) {
    std::list<Idle> dropped;
    MutexLock lock(mutex_);
    idle_.push_front({origin, std::move(channel), steady_clock().now()});
    while (idle_.size() > options_.idle)
      dropped.splice(dropped.end(), idle_, std::prev(idle_.end()));
  }

  const HttpPoolOptions options_;
  Mutex mutex_;
  std::shared_ptr<const TlsContext> tls_ GUARDED_BY(mutex_);  // null until it is needed
  Condition left_;
  std::list<Idle> idle_ GUARDED_BY(mutex_);  // the youngest first
  std::size_t in_use_ GUARDED_BY(mutex_) = 0;
};

HttpPool::HttpPool(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
HttpPool::~HttpPool() = default;

Result<std::unique_ptr<HttpPool>> HttpPool::make(const HttpPoolOptions& options) {
  std::shared_ptr<const TlsContext> tls;
  if (!options.tls.ca_file.empty()) {
    CORTEX_ASSIGN_OR_RETURN(tls, TlsContext::make(options.tls));
  }
  return std::unique_ptr<HttpPool>(new HttpPool(std::make_unique<Impl>(options, std::move(tls))));
}

Result<HttpResponse> HttpPool::send(const HttpRequest& request) {
  return impl_->send(request, HttpStreams());
}

Result<HttpResponse> HttpPool::send(const HttpRequest& request, const HttpStreams& streams) {
  return impl_->send(request, streams);
}

}  // namespace cortex::net
