// SPDX-License-Identifier: Apache-2.0
#include "frontend/codec/mlflow/server_routes.h"

#include <string>
#include <utility>

namespace cortex::frontend::mlflow {
namespace {

Result<Plan> server_info(const Context& context, const Call&) {
  std::string body;
  JsonWriter writer(body);
  writer.open_object();
  writer.text("store_type", "SqlStore");
  writer.flag("workspaces_enabled", true);
  writer.flag("trace_archival_enabled", false);
  writer.flag("multipart_uploads_enabled", context.options.multipart_uploads);
  writer.flag("multipart_downloads_enabled", context.options.multipart_downloads);
  writer.flag("artifact_serving_enabled", true);
  writer.close_object();
  return Plan::reply(std::move(body));
}

void version(const Context& context, const std::shared_ptr<Exchange>& exchange) {
  HttpReply reply;
  reply.content_type = "text/plain; charset=utf-8";
  reply.body = context.options.mlflow_version;
  exchange->reply(std::move(reply));
}

}  // namespace

std::vector<MlflowRoute> server_routes() {
  MlflowRoute info;
  info.mount = Mount::kApi3;
  info.pattern = "/server-info";
  info.scope = Scope::kNone;
  info.summary = "What this server can do";
  info.planner = server_info;
  MlflowRoute text;
  text.mount = Mount::kRoot;
  text.pattern = "/version";
  text.scope = Scope::kNone;
  text.summary = "The version of MLflow whose API this is";
  text.handler = version;
  return {info, text};
}

}  // namespace cortex::frontend::mlflow
