// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "base/status.h"
#include "frontend/codec/mlflow/transfer_pool.h"
#include "frontend/codec/mlflow/wire.h"
#include "frontend/http/exchange.h"
#include "store/artifact_store.h"
#include "store/store.h"

namespace cortex::connectors {
class WebhookSender;
}

namespace cortex::frontend::mlflow {

struct MlflowOptions {
  // Where a new experiment keeps its artifacts: this, "/" and its id. Paths below the scheme are
  // names in the artifact index.
  std::string artifact_root = "mlflow-artifacts:";
  // What /version answers: the version of MLflow whose API this is.
  std::string mlflow_version = "3.6.0";
  // Of metrics, params and tags: they come thousands a second.
  store::Durability log_durability = store::Durability::kStrict;
  TransferOptions transfers;
  bool multipart_uploads = false;
  bool multipart_downloads = false;
  // Clients that ask for it read artifacts from the artifact store itself, for so long.
  bool presigned = false;
  std::chrono::seconds presigned_lifetime{300};
  connectors::WebhookSender* webhooks = nullptr;  // outlives the codec; null: webhooks are off
  std::vector<std::string> workspaces{Principal().workspace};  // that there are
};

// What every route works with; outlives the routes.
struct Context {
  store::Store& store;
  store::ArtifactStore& artifacts;
  MlflowOptions options;
  std::unique_ptr<TransferPool> transfers = nullptr;  // of artifacts
  connectors::WebhookSender* webhooks = nullptr;      // null: they are off
};

// One request of a JSON route, on the connection's thread.
struct Call {
  const HttpRequest& http;
  Fields fields;
  const std::string& workspace;  // the principal's

  // What stood for {name} in the pattern, by its place.
  [[nodiscard]] const std::string& path_value(std::size_t index) const {
    return http.path_values.at(index);
  }
};

// What a parsed request comes to: an answer at once, or work in the database that writes its
// answer. `body` is empty when the work begins, also when it begins again; empty at the end stands
// for {}. The work runs on a thread of the store's and owns all it captured.
struct Plan {
  using Work = std::function<Status(store::Transaction& transaction, std::string& body)>;
  enum class Kind : std::uint8_t { kReply, kRead, kWrite };

  Kind kind = Kind::kReply;
  std::string body;  // of kReply
  Work work;         // of the others
  store::Durability durability = store::Durability::kStrict;

  [[nodiscard]] static Plan reply(std::string body) {
    return {Kind::kReply, std::move(body), nullptr, store::Durability::kStrict};
  }
  [[nodiscard]] static Plan read(Work work) {
    return {Kind::kRead, {}, std::move(work), store::Durability::kStrict};
  }
  [[nodiscard]] static Plan write(
      Work work, store::Durability durability = store::Durability::kStrict
  ) {
    return {Kind::kWrite, {}, std::move(work), durability};
  }
};

// Parses a request and plans its answer; a fault of `call.fields` that it does not look at is
// answered all the same. Pure, on the connection's thread.
using Planner = std::function<Result<Plan>(const Context& context, const Call& call)>;

// Where a route lives. The first three are also below /ajax-api, for MLflow's web pages.
enum class Mount : std::uint8_t {
  kApi2,       // /api/2.0/mlflow
  kApi3,       // /api/3.0/mlflow
  kArtifacts,  // /api/2.0/mlflow-artifacts
  kRoot,       // the bare path
  kAjax2,      // /ajax-api/2.0/mlflow alone
};

// One route; `planner` for JSON, `handler` for those that move bytes and answer by themselves (with
// fail() and reply_json() of wire.h).
struct MlflowRoute {
  Mount mount = Mount::kApi2;
  Method method = Method::kGet;
  std::string_view pattern;  // static text, below the mount: "/runs/create"
  Scope scope = Scope::kRead;
  std::string_view summary;  // static text
  Planner planner;
  std::function<void(const Context& context, const std::shared_ptr<Exchange>& exchange)> handler;
  BodyMode body = BodyMode::kBuffered;
  std::size_t body_bytes_limit = 0;  // 0: kJsonBytesLimit for a planner, the server's for a handler
};

// A JSON route below /api/2.0/mlflow.
[[nodiscard]] inline MlflowRoute json_route(
    Method method, std::string_view pattern, Scope scope, std::string_view summary, Planner planner
) {
  MlflowRoute route;
  route.method = method;
  route.pattern = pattern;
  route.scope = scope;
  route.summary = summary;
  route.planner = std::move(planner);
  return route;
}

inline constexpr std::size_t kJsonBytesLimit = std::size_t{1} << 20;

// Runs a plan and answers the exchange; the work's answer is written on a thread of the store's.
void run_plan(const Context& context, std::shared_ptr<Exchange> exchange, Plan plan);

}  // namespace cortex::frontend::mlflow
