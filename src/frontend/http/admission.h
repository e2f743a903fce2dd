// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "frontend/http/authenticator.h"
#include "frontend/http/exchange.h"
#include "frontend/http/http_fault.h"
#include "frontend/http/request_head.h"
#include "frontend/http/route_table.h"

namespace cortex::frontend {

// What the header alone decides about a request. Exactly one of the three is set.
struct Admission {
  const Route* route = nullptr;     // it may run; path values and principal are in the request
  std::optional<HttpReply> answer;  // the server answers it (OPTIONS)
  std::optional<HttpFault> fault;   // refused

  const Api* api = nullptr;  // whose shape errors take; null: the default one
  std::string_view pattern;  // of the route, with its mount point
  std::string allow;         // beside a 405
};

// Who may ask what on one port. Pure but for the authenticator's own knowledge.
class Gate {
 public:
  // Both outlive the gate.
  Gate(const RouteTable& routes, const Authenticator& authenticator)
      : routes_(routes), authenticator_(authenticator) {}

  // Decides before the body is read. Fills request.path_values, request.principal and
  // request.deadline.
  [[nodiscard]] Admission admit(HttpRequest& request, const RequestHead& head) const;

  // Of a request whose header is at fault: as far as it was read, the path says whose shape the
  // error takes.
  [[nodiscard]] Admission refuse(
      const HttpRequest& request, const RequestHead& head, HttpFault fault
  ) const;

 private:
  [[nodiscard]] Admission answer_options(const HttpRequest& request, const RequestHead& head) const;

  const RouteTable& routes_;
  const Authenticator& authenticator_;
};

// The answer to a refused request, in the shape of `api` (null: {"error": text}).
[[nodiscard]] HttpReply refusal(
    const Api* api, std::string_view request_id, const HttpFault& fault, std::string_view allow = {}
);
// The same for an error of a handler, by the table of status_map.
[[nodiscard]] HttpReply error_reply(
    const Api* api, std::string_view request_id, const Status& status
);

// The value of Access-Control-Allow-Origin for a request; empty when its origin is not among
// `allowed` ("*": any).
[[nodiscard]] std::string_view cors_origin(
    const std::vector<std::string>& allowed, const HttpRequest& request
);

// Why a page of another origin may not change anything here, if the request comes from one: a
// browser sends it without asking first when it looks like a form, and a name of the page's owner
// may point to this machine. Own pages are told by an Origin that is the Host and no such name:
// localhost or an address. `allowed` as above.
[[nodiscard]] std::optional<HttpFault> foreign_origin(
    const std::vector<std::string>& allowed, const HttpRequest& request
);

}  // namespace cortex::frontend
