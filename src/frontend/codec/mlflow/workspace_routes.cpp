// SPDX-License-Identifier: Apache-2.0
#include "frontend/codec/mlflow/workspace_routes.h"

#include <algorithm>
#include <string>
#include <utility>

namespace cortex::frontend::mlflow {
namespace {

bool may_ask_for(const Call& call, const std::string& workspace) {
  return call.http.principal.every_workspace || call.workspace == workspace;
}

Result<Plan> list_workspaces(const Context& context, const Call& call) {
  std::string body;
  JsonWriter writer(body);
  writer.open_object();
  writer.open_list("workspaces");
  for (const std::string& name : context.options.workspaces) {
    if (!may_ask_for(call, name)) continue;
    writer.open_object();
    writer.text("name", name);
    writer.close_object();
  }
  writer.close_list();
  writer.close_object();
  return Plan::reply(std::move(body));
}

Result<Plan> get_workspace(const Context& context, const Call& call) {
  const std::string& name = call.path_value(0);
  const auto& all = context.options.workspaces;
  if (std::find(all.begin(), all.end(), name) == all.end() || !may_ask_for(call, name)) {
    return not_found("Workspace '" + name + "' not found");
  }
  std::string body;
  JsonWriter writer(body);
  writer.open_object();
  writer.open_object("workspace");
  writer.text("name", name);
  writer.close_object();
  writer.close_object();
  return Plan::reply(std::move(body));
}

Result<Plan> refuse_change(const Context&, const Call&) {
  return unimplemented("Workspaces are named in the server's configuration (`auth.workspaces`)");
}

MlflowRoute workspace_route(
    Method method, std::string_view pattern, Scope scope, std::string_view summary, Planner planner
) {
  MlflowRoute route = json_route(method, pattern, scope, summary, std::move(planner));
  route.mount = Mount::kApi3;
  return route;
}

}  // namespace

std::vector<MlflowRoute> workspace_routes() {
  constexpr std::string_view kAll = "/workspaces";
  constexpr std::string_view kOne = "/workspaces/{workspace}";
  constexpr Scope kRead = Scope::kRead;
  constexpr Scope kAdmin = Scope::kAdmin;
  return {
      workspace_route(
          Method::kGet, kAll, kRead, "Workspaces that this key may ask for", list_workspaces
      ),
      workspace_route(Method::kGet, kOne, kRead, "One workspace", get_workspace),
      workspace_route(Method::kPost, kAll, kAdmin, "Refused: configured", refuse_change),
      workspace_route(Method::kPatch, kOne, kAdmin, "Refused: configured", refuse_change),
      workspace_route(Method::kDelete, kOne, kAdmin, "Refused: configured", refuse_change),
  };
}

}  // namespace cortex::frontend::mlflow
