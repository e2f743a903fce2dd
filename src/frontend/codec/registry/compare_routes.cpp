// SPDX-License-Identifier: Apache-2.0
#include <memory>
#include <string>
#include <utility>

#include <boost/json.hpp>

#include "frontend/codec/registry/documents.h"
#include "frontend/codec/registry/registry_request.h"
#include "frontend/codec/registry/registry_route.h"
#include "frontend/codec/registry/version_files.h"
#include "registry/catalog/version_difference.h"
#include "tracking/logged_models.h"
#include "tracking/runs.h"

namespace cortex::frontend::registry_api {
namespace {

namespace json = boost::json;
using registry::ModelVersion;
using registry::VersionFacts;
using store::Transaction;

void add_facts(
    VersionFacts& facts,
    const std::vector<tracking::Param>& params,
    const std::vector<tracking::Metric>& metrics
) {
  for (const tracking::Param& param : params) facts.parameters[param.key] = param.value;
  for (const tracking::Metric& metric : metrics) facts.metrics[metric.key] = metric.value;
}

// Of its run, then of its logged model; either may be gone.
Result<VersionFacts> facts_of(
    Transaction& transaction, const std::string& workspace, const ModelVersion& version
) {
  VersionFacts facts;
  if (!version.run.empty()) {
    const auto run = tracking::find_run(transaction, workspace, version.run);
    if (run.ok()) add_facts(facts, run->params, run->metrics);
    if (!run.ok() && run.status().code() != Code::kNotFound) return run.status();
  }
  if (!version.logged_model.empty()) {
    const auto model = tracking::find_logged_model(transaction, workspace, version.logged_model);
    if (model.ok()) add_facts(facts, model->params, model->metrics);
    if (!model.ok() && model.status().code() != Code::kNotFound) return model.status();
  }
  return facts;
}

struct Side {
  ModelVersion version;
  VersionFacts facts;
  VersionFiles files;
};

Result<Side> find_side(
    Transaction& transaction,
    const std::string& workspace,
    const std::string& model,
    const std::string& name
) {
  Side side;
  CORTEX_ASSIGN_OR_RETURN(side.version, find_named_version(transaction, workspace, model, name));
  CORTEX_ASSIGN_OR_RETURN(side.facts, facts_of(transaction, workspace, side.version));
  CORTEX_ASSIGN_OR_RETURN(
      side.files, find_version_files(transaction, workspace, side.version.location)
  );
  return side;
}

// What the work found, for the thread that reads the files.
struct Found {
  Side left;
  Side right;
};

Status answer_difference(const Context& context, const Found& found, Answer& answer) {
  CORTEX_ASSIGN_OR_RETURN(
      const FileDifference files,
      compare_files(context.artifacts, found.left.files, found.right.files)
  );
  json::object document{
      {"left", to_json(found.left.version.id)}, {"right", to_json(found.right.version.id)}
  };
  const auto difference = registry::compare_versions(
      found.left.version, found.left.facts, found.right.version, found.right.facts
  );
  for (auto& member : to_json(difference)) document.insert(member);
  document.emplace("signature", to_json(files.signature));
  document.emplace("config", to_json(files.config));
  document.emplace("notes", json::array(files.notes.begin(), files.notes.end()));
  say(answer, document);
  return {};
}

Result<Plan> compare(const Call& call) {
  const std::string& left_model = call.path_value(0);
  std::string right_model = call.query.text("right_model");
  if (right_model.empty()) right_model = left_model;
  const std::string left = call.query.text("left");
  const std::string right = call.query.text("right");
  if (left.empty() || right.empty()) {
    return invalid_argument("left and right name the two versions: a number, X.Y.Z or @alias");
  }
  auto found = std::make_shared<Found>();
  Plan plan = Plan::read(
      [found,
       left_model,
       right_model,
       left,
       right,
       workspace = call.author.workspace](Transaction& transaction, Answer&) -> Status {
        CORTEX_ASSIGN_OR_RETURN(found->left, find_side(transaction, workspace, left_model, left));
        CORTEX_ASSIGN_OR_RETURN(
            found->right, find_side(transaction, workspace, right_model, right)
        );
        return {};
      }
  );
  plan.finish = [found](const Context& context, Answer& answer) {
    return answer_difference(context, *found, answer);
  };
  return plan;
}

}  // namespace

std::vector<RegistryRoute> compare_routes() {
  return {
      {Method::kGet,
       "/registry/models/{model}/compare",
       "What differs between two versions",
       "",
       "RegistryDifference",
       200,
       compare_parameters(),
       compare},
  };
}

}  // namespace cortex::frontend::registry_api
