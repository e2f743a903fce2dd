// SPDX-License-Identifier: Apache-2.0
#include "frontend/codec/admin/admin_codec.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "base/json_text.h"
#include "frontend/codec/admin/openapi.h"

namespace cortex::frontend::admin {
namespace {

constexpr std::string_view kTextFormat = "text/plain; version=0.0.4; charset=utf-8";
constexpr std::string_view kOpenMetricsFormat =
    "application/openmetrics-text; version=1.0.0; charset=utf-8";

std::string error_body(int, const Status& status, std::string_view) {
  std::string out = R"({"error":)";
  append_json_string(out, status.text());
  return out.append("}");
}

// A number alone: the route is open to everybody. The repository index names them.
std::size_t count_failed(const std::vector<registry::IndexEntry>& index) {
  return static_cast<std::size_t>(std::count_if(index.begin(), index.end(), [](const auto& entry) {
    return entry.broken;
  }));
}

void append_store(std::string& out, const StoreState& state) {
  out.append(R"(,"store":{"available":)").append(state.available ? "true" : "false");
  if (!state.available) out.append(R"(,"lost_since":)").append(std::to_string(state.lost_since));
  out.append(R"(,"waiting":)").append(std::to_string(state.waiting)).append("}");
}

}  // namespace

AdminCodec::AdminCodec(ModelCatalog catalog, AdminOptions options)
    : catalog_(std::move(catalog)), options_(std::move(options)) {}

struct AdminCodec::Entry {
  std::string_view pattern;
  Scope scope;
  std::string_view summary;
  void (AdminCodec::*handler)(const ExchangePtr&) const;
  std::string_view response_schema;
};

const AdminCodec::Entry AdminCodec::kEntries[] = {
    {"/health", Scope::kNone, "The server takes requests", &AdminCodec::ready, "Health"},
    {"/health/live", Scope::kNone, "The server lives", &AdminCodec::live, "Alive"},
    {"/health/ready", Scope::kNone, "The server takes requests", &AdminCodec::ready, "Health"},
    {"/metrics", Scope::kRead, "Metrics for Prometheus", &AdminCodec::metrics, "Metrics"},
    {"/openapi.json", Scope::kRead, "This description", &AdminCodec::openapi, "OpenApi"},
};

Api AdminCodec::make_api() {
  Api api;
  api.name = "admin";
  api.error_body = error_body;
  for (const Entry& entry : kEntries) {
    Route route{Method::kGet, entry.pattern, entry.scope, api.name, entry.summary, {}, 0, {}, {}};
    route.handler = [this, handler = entry.handler](const ExchangePtr& exchange) {
      (this->*handler)(exchange);
    };
    route.response_schema = entry.response_schema;
    api.routes.push_back(std::move(route));
  }
  return api;
}

void AdminCodec::describe(const std::vector<Api>& apis) {
  openapi_ = openapi_document(apis, options_.server_version);
}

void AdminCodec::live(const ExchangePtr& exchange) const {
  HttpReply reply;
  reply.body = R"({"status":"ok"})";
  exchange->reply(std::move(reply));
}

void AdminCodec::ready(const ExchangePtr& exchange) const {
  const bool draining = options_.draining();
  const bool settled = catalog_.settled();
  HttpReply reply;
  reply.status = settled && !draining ? 200 : 503;
  reply.body.append(R"({"status":)");
  append_json_string(reply.body, draining ? "draining" : settled ? "ok" : "starting");
  reply.body.append(R"(,"ready_models":)").append(std::to_string(catalog_.ready_models().size()));
  reply.body.append(R"(,"failed_versions":)")
      .append(std::to_string(count_failed(catalog_.index())));
  append_degraded(reply.body);
  if (options_.store) append_store(reply.body, options_.store());
  reply.body.push_back('}');
  exchange->reply(std::move(reply));
}

void AdminCodec::append_degraded(std::string& out) const {
  if (!options_.degraded) return;
  std::string_view between = R"(,"degraded":[)";
  for (const std::string& part : options_.degraded()) {
    out.append(std::exchange(between, ","));
    append_json_string(out, part);
  }
  if (between == ",") out.push_back(']');
}

void AdminCodec::metrics(const ExchangePtr& exchange) const {
  const std::string_view accepted = exchange->request().header("accept");
  const bool openmetrics = accepted.find("application/openmetrics-text") != std::string_view::npos;
  HttpReply reply;
  reply.content_type = openmetrics ? kOpenMetricsFormat : kTextFormat;
  reply.body = options_.metrics(openmetrics);
  exchange->reply(std::move(reply));
}

void AdminCodec::openapi(const ExchangePtr& exchange) const {
  HttpReply reply;
  reply.body = openapi_;
  exchange->reply(std::move(reply));
}

}  // namespace cortex::frontend::admin
