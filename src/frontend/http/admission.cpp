// SPDX-License-Identifier: Apache-2.0
#include "frontend/http/admission.h"

#include <charconv>
#include <chrono>
#include <cstdint>
#include <utility>

#include "base/json_text.h"
#include "frontend/status_map.h"

namespace cortex::frontend {
namespace {

HttpFault fault_of(const RouteMatch& match, const HttpRequest& request) {
  switch (match.kind) {
    case RouteMatch::Kind::kNoSuchMethod:
      return {
          405,
          invalid_argument(
              std::string(method_name(request.method)) + " is not allowed on this path"
          )
      };
    case RouteMatch::Kind::kBadPath:
      return bad_request("malformed escape in the request target");
    case RouteMatch::Kind::kNoSuchPath:
    case RouteMatch::Kind::kFound:
      break;
  }
  return {404, not_found("no such path: " + request.path).with_reason("unknown_url")};
}

std::optional<HttpFault> authorize(
    const Authenticator& authenticator, const Route& route, HttpRequest& request
) {
  if (route.scope == Scope::kNone) {
    request.principal.scopes = 0;
    return std::nullopt;
  }
  auto principal = authenticator.authenticate(
      {request.header("authorization"),
       request.header("x-api-key"),
       request.header("x-mlflow-workspace"),
       route.api}
  );
  if (!principal.ok()) {
    return HttpFault{status_row(principal.status().code()).http, principal.status()};
  }
  request.principal = std::move(principal).value();
  if (includes(request.principal.scopes, route.scope)) return std::nullopt;
  return HttpFault{403, permission_denied("this key has not the scope that the path needs")};
}

// A proxy says so how long it will wait, from now on.
std::optional<HttpFault> read_deadline(HttpRequest& request) {
  const std::string_view text = request.header(kTimeoutHeader);
  if (text.empty()) return std::nullopt;
  std::uint64_t count = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
  if (error != std::errc() || end != text.data() + text.size() || count > kTimeoutMsMax) {
    return bad_request(
        std::string(kTimeoutHeader) + " must be a whole number of milliseconds from 0 to " +
        std::to_string(kTimeoutMsMax)
    );
  }
  if (count > 0) request.deadline = request.arrival + std::chrono::milliseconds(count);
  return std::nullopt;
}

// "http://" or "https://" and the Host, when that is localhost or an address.
bool is_own_origin(std::string_view origin, std::string_view host) {
  if (host.empty()) return false;  // HTTP/1.0 may leave it out
  const std::size_t scheme_end = origin.find("://");
  if (scheme_end == std::string_view::npos || origin.substr(scheme_end + 3) != host) return false;
  const bool is_address =
      host.find_first_not_of("0123456789.:[]abcdefABCDEF") == std::string_view::npos &&
      (host.front() == '[' || host.find_first_of("abcdefABCDEF") == std::string_view::npos);
  return is_address || host == "localhost" || host.substr(0, 10) == "localhost:";
}

std::string error_body(const Api* api, std::string_view request_id, const HttpFault& fault) {
  if (api != nullptr && api->error_body) {
    return api->error_body(fault.http_status, fault.status, request_id);
  }
  std::string body = "{\"error\":";
  append_json_string(body, fault.status.text());
  return body.append("}");
}

}  // namespace

Admission Gate::admit(HttpRequest& request, const RequestHead& head) const {
  if (request.method == Method::kOptions) return answer_options(request, head);
  RouteMatch match = routes_.match(request.method, head.raw_path);
  Admission admission;
  admission.api = match.api;
  admission.pattern = match.pattern;
  if (match.kind != RouteMatch::Kind::kFound) {
    admission.fault = fault_of(match, request);
    admission.allow = std::move(match.allow);
    return admission;
  }
  request.path_values = std::move(match.values);
  admission.fault = authorize(authenticator_, *match.route, request);
  if (!admission.fault && match.route->scope == Scope::kInfer) {
    admission.fault = read_deadline(request);
  }
  if (!admission.fault) admission.route = match.route;
  return admission;
}

Admission Gate::refuse(const HttpRequest& request, const RequestHead& head, HttpFault fault) const {
  const RouteMatch match = routes_.match(request.method, head.raw_path);
  Admission admission;
  admission.api = match.api;
  admission.pattern = match.pattern;
  admission.fault = std::move(fault);
  return admission;
}

Admission Gate::answer_options(const HttpRequest& request, const RequestHead& head) const {
  RouteMatch match = routes_.match(Method::kOptions, head.raw_path);
  Admission admission;
  admission.api = match.api;
  admission.pattern = match.pattern;
  const bool known = match.kind == RouteMatch::Kind::kNoSuchMethod || head.raw_path == "*";
  if (!known) {
    admission.fault = fault_of(match, request);
    return admission;
  }
  HttpReply reply;
  reply.status = 204;
  const std::string allow = match.allow.empty() ? "GET, HEAD, POST, OPTIONS" : match.allow;
  reply.headers.emplace_back("Allow", allow);
  if (!request.header("access-control-request-method").empty()) {
    reply.headers.emplace_back("Access-Control-Allow-Methods", allow);
    const std::string_view asked = request.header("access-control-request-headers");
    if (!asked.empty()) reply.headers.emplace_back("Access-Control-Allow-Headers", asked);
    reply.headers.emplace_back("Access-Control-Max-Age", "600");
  }
  admission.answer = std::move(reply);
  return admission;
}

HttpReply refusal(
    const Api* api, std::string_view request_id, const HttpFault& fault, std::string_view allow
) {
  HttpReply reply;
  reply.status = fault.http_status;
  reply.body = error_body(api, request_id, fault);
  if (!allow.empty()) reply.headers.emplace_back("Allow", allow);
  if (fault.http_status == 401) reply.headers.emplace_back("WWW-Authenticate", "Bearer");
  if (const auto seconds = retry_after_seconds(fault.status)) {
    reply.headers.emplace_back("Retry-After", std::to_string(*seconds));
  }
  return reply;
}

HttpReply error_reply(const Api* api, std::string_view request_id, const Status& status) {
  return refusal(api, request_id, {status_row(status.code()).http, status});
}

std::optional<HttpFault> foreign_origin(
    const std::vector<std::string>& allowed, const HttpRequest& request
) {
  const std::string_view origin = request.header("origin");
  const bool reads = request.method == Method::kGet || request.method == Method::kHead;
  // What a page reads of an upgraded connection no rule of browsers keeps from it.
  if (origin.empty() || (reads && request.header("upgrade").empty())) return std::nullopt;
  if (!cors_origin(allowed, request).empty() || is_own_origin(origin, request.header("host"))) {
    return std::nullopt;
  }
  return HttpFault{
      403, permission_denied("pages of this origin may not ask this server (http.cors_origins)")
  };
}

std::string_view cors_origin(const std::vector<std::string>& allowed, const HttpRequest& request) {
  if (allowed.empty()) return {};
  const std::string_view origin = request.header("origin");
  if (origin.empty()) return {};
  for (const std::string& one : allowed) {
    if (one == "*") return "*";
    if (one == origin) return origin;
  }
  return {};
}

}  // namespace cortex::frontend
