// SPDX-License-Identifier: Apache-2.0
#include "frontend/codec/mlflow/mlflow_codec.h"

#include <iterator>
#include <string>
#include <utility>

#include "base/clock.h"
#include "frontend/codec/mlflow/artifact_routes.h"
#include "frontend/codec/mlflow/registry_routes.h"
#include "frontend/codec/mlflow/schemas.h"
#include "frontend/codec/mlflow/server_routes.h"
#include "frontend/codec/mlflow/tracking_routes.h"
#include "frontend/codec/mlflow/webhook_routes.h"
#include "frontend/codec/mlflow/workspace_routes.h"
#include "request/principal.h"
#include "tracking/experiments.h"

namespace cortex::frontend::mlflow {
namespace {

constexpr std::string_view kName = "mlflow";
constexpr std::string_view kPagesPrefix = "/ajax-api";  // for MLflow's web pages

struct MountPoint {
  std::string_view prefix;
  Mount mount;
};

// Equal prefixes stand together: they are one mount.
constexpr MountPoint kMountPoints[] = {
    {"/api/2.0/mlflow", Mount::kApi2},
    {"/ajax-api/2.0/mlflow", Mount::kApi2},
    {"/ajax-api/2.0/mlflow", Mount::kAjax2},
    {"/api/3.0/mlflow", Mount::kApi3},
    {"/ajax-api/3.0/mlflow", Mount::kApi3},
    {"/api/2.0/mlflow-artifacts", Mount::kArtifacts},
    {"/ajax-api/2.0/mlflow-artifacts", Mount::kArtifacts},
    {"", Mount::kRoot},
};

std::vector<MlflowRoute> all_routes() {
  std::vector<MlflowRoute> all;
  for (auto routes :
       {server_routes(),
        workspace_routes(),
        tracking_routes(),
        registry_routes(),
        webhook_routes(),
        artifact_routes()}) {
    all.insert(
        all.end(), std::make_move_iterator(routes.begin()), std::make_move_iterator(routes.end())
    );
  }
  return all;
}

Result<Plan> plan_request(const Context& context, const Planner& planner, const HttpRequest& http) {
  CORTEX_ASSIGN_OR_RETURN(const Document document, Document::read(http));
  const Call call{http, document.fields(), http.principal.workspace};
  Result<Plan> plan = planner(context, call);
  CORTEX_RETURN_IF_ERROR(call.fields.status());
  return plan;
}

std::function<void(std::shared_ptr<Exchange>)> handler_of(
    const Context& context, const MlflowRoute& route
) {
  if (route.handler) {
    return [&context, handler = route.handler](const std::shared_ptr<Exchange>& exchange) {
      handler(context, exchange);
    };
  }
  return [&context, planner = route.planner](const std::shared_ptr<Exchange>& exchange) {
    Result<Plan> plan = plan_request(context, planner, exchange->request());
    if (!plan.ok()) return fail(*exchange, plan.status());
    run_plan(context, exchange, std::move(*plan));
  };
}

Route mounted(const Context& context, const MlflowRoute& from, std::string_view prefix) {
  Route route;
  route.method = from.method;
  route.pattern = from.pattern;
  route.scope = from.scope;
  route.api = kName;
  route.summary = from.summary;
  route.handler = handler_of(context, from);
  const std::size_t standard = from.planner ? kJsonBytesLimit : 0;
  route.body_bytes_limit = from.body_bytes_limit == 0 ? standard : from.body_bytes_limit;
  const RouteWords words = words_of(from);
  route.request_schema = words.request_schema;
  route.response_schema = words.response_schema;
  route.parameters = words.parameters;
  route.body = from.body;
  route.described = from.mount == Mount::kAjax2 || !prefix.starts_with(kPagesPrefix);
  return route;
}

}  // namespace

void run_plan(const Context& context, std::shared_ptr<Exchange> exchange, Plan plan) {
  if (plan.kind == Plan::Kind::kReply) return reply_json(*exchange, std::move(plan.body));
  auto body = std::make_shared<std::string>();
  store::Store::Work work = [body, inner = std::move(plan.work)](store::Transaction& transaction) {
    body->clear();
    return inner(transaction, *body);
  };
  store::Store::Done done = [body, exchange = std::move(exchange)](const Status& status) {
    if (!status.ok()) return fail(*exchange, status);
    reply_json(*exchange, std::move(*body));
  };
  if (plan.kind == Plan::Kind::kRead) return context.store.read(std::move(work), std::move(done));
  context.store.write(std::move(work), std::move(done), plan.durability);
}

MlflowCodec::MlflowCodec(
    store::Store& store, store::ArtifactStore& artifacts, MlflowOptions options
)
    : context_(std::make_unique<const Context>(Context{
          store,
          artifacts,
          options,
          std::make_unique<TransferPool>(options.transfers),
          options.webhooks
      })) {}

MlflowCodec::~MlflowCodec() = default;

void MlflowCodec::stop() { context_->transfers->close(); }

Status MlflowCodec::prepare() const {
  const std::int64_t now = unix_milliseconds();
  return context_->store.write_and_wait([&](store::Transaction& transaction) -> Status {
    const MlflowOptions& options = context_->options;
    for (const std::string& workspace : options.workspaces) {
      CORTEX_RETURN_IF_ERROR(
          tracking::ensure_default_experiment(transaction, workspace, options.artifact_root, now)
      );
    }
    return {};
  });
}

std::vector<Api> MlflowCodec::make_apis() const {
  const std::vector<MlflowRoute> routes = all_routes();
  std::vector<Api> apis;
  for (const MountPoint& point : kMountPoints) {
    if (apis.empty() || apis.back().prefix != point.prefix) {
      apis.push_back(
          {kName,
           std::string(point.prefix),
           {},
           [](int http, const Status& status, std::string_view) {
             return refusal_body(http, status);
           },
           "MlflowError",
           mlflow_schemas()}
      );
    }
    for (const MlflowRoute& route : routes) {
      if (route.mount != point.mount) continue;
      apis.back().routes.push_back(mounted(*context_, route, point.prefix));
    }
  }
  return apis;
}

}  // namespace cortex::frontend::mlflow
