// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <string>
#include <utility>

#include "frontend/codec/mlflow/tracking_reply.h"
#include "frontend/codec/mlflow/tracking_request.h"
#include "frontend/codec/mlflow/tracking_routes.h"
#include "tracking/metric_history.h"

namespace cortex::frontend::mlflow {
namespace {

using store::Transaction;

// Who names no page size wants everything; more than this comes page by page all the same.
constexpr std::size_t kHistoryLimit = 1'000'000;
constexpr std::size_t kBulkLimit = 25'000;
constexpr std::size_t kBulkRunsLimit = 100;
constexpr std::int64_t kSampleLimit = 2'500;

void write_metrics(JsonWriter& writer, const std::vector<tracking::Metric>& metrics) {
  writer.open_list("metrics");
  for (const tracking::Metric& metric : metrics) write_metric(writer, metric);
  writer.close_list();
}

Result<Plan> history(const Context&, const Call& call) {
  tracking::HistoryQuery query;
  query.run_id = read_run_id(call.fields);
  query.key = call.fields.required_text("metric_key");
  query.page_token = call.fields.text("page_token");
  const auto asked = call.fields.integer("max_results");
  if (asked && *asked <= 0) {
    return invalid_argument(
        "Invalid value " + std::to_string(*asked) +
        " for parameter 'max_results' supplied. It must be a positive integer."
    );
  }
  query.limit = kHistoryLimit;
  if (asked) query.limit = std::min(query.limit, static_cast<std::size_t>(*asked));
  return Plan::read(
      [query = std::move(query),
       workspace = call.workspace](Transaction& transaction, std::string& body) -> Status {
        CORTEX_ASSIGN_OR_RETURN(
            const tracking::HistoryPage page,
            tracking::metric_history(transaction, workspace, query)
        );
        JsonWriter writer(body);
        writer.open_object();
        write_metrics(writer, page.metrics);
        writer.text_if("next_page_token", page.next_page_token);
        writer.close_object();
        return {};
      }
  );
}

Status check_runs(std::string_view route, const std::vector<std::string>& run_ids) {
  const std::string name(route);
  if (run_ids.empty()) {
    return invalid_argument(name + " request must specify at least one run_id.");
  }
  if (run_ids.size() <= kBulkRunsLimit) return {};
  return invalid_argument(
      name + " request cannot specify more than " + std::to_string(kBulkRunsLimit) +
      " run_ids. Received " + std::to_string(run_ids.size()) + " run_ids."
  );
}

Plan metrics_plan(std::function<Result<std::vector<tracking::Metric>>(Transaction&)> find) {
  return Plan::read(
      [find = std::move(find)](Transaction& transaction, std::string& body) -> Status {
        CORTEX_ASSIGN_OR_RETURN(const std::vector<tracking::Metric> metrics, find(transaction));
        JsonWriter writer(body);
        writer.open_object();
        write_metrics(writer, metrics);
        writer.close_object();
        return {};
      }
  );
}

Result<Plan> histories(const Context&, const Call& call) {
  std::vector<std::string> run_ids = call.fields.texts("run_id");
  CORTEX_RETURN_IF_ERROR(check_runs("GetMetricHistoryBulk", run_ids));
  if (!call.fields.has("metric_key")) {
    return invalid_argument("GetMetricHistoryBulk request must specify a metric_key.");
  }
  const auto asked =
      std::max<std::int64_t>(0, call.fields.integer("max_results").value_or(kBulkLimit));
  return metrics_plan([run_ids = std::move(run_ids),
                       key = call.fields.text("metric_key"),
                       limit = std::min(kBulkLimit, static_cast<std::size_t>(asked)),
                       workspace = call.workspace](Transaction& transaction) {
    return tracking::metric_histories(transaction, workspace, run_ids, key, limit);
  });
}

Status read_steps(const Fields& fields, tracking::SampleQuery& query) {
  const auto first = fields.integer("start_step");
  const auto last = fields.integer("end_step");
  if (first.has_value() != last.has_value()) {
    return invalid_argument(
        "If either start step or end step are specified, both must be specified."
    );
  }
  if (!first) return {};
  if (*first > *last) {
    return invalid_argument(
        "end_step must be greater than start_step. Found start_step=" + std::to_string(*first) +
        " and end_step=" + std::to_string(*last) + "."
    );
  }
  query.steps.emplace(*first, *last);
  return {};
}

Result<Plan> samples(const Context&, const Call& call) {
  tracking::SampleQuery query;
  query.run_ids = call.fields.texts("run_ids");
  if (query.run_ids.empty()) call.fields.refuse(missing_parameter("run_ids"));
  CORTEX_RETURN_IF_ERROR(call.fields.status());
  CORTEX_RETURN_IF_ERROR(check_runs("GetMetricHistoryBulkInterval", query.run_ids));
  query.key = call.fields.required_text("metric_key");
  CORTEX_RETURN_IF_ERROR(read_steps(call.fields, query));
  const std::int64_t asked = call.fields.integer("max_results").value_or(kSampleLimit);
  if (asked < 1 || asked > kSampleLimit) {
    return invalid_argument(
        "max_results must be between 1 and " + std::to_string(kSampleLimit) +
        ". See the API docs for more information about request parameters."
    );
  }
  query.limit = static_cast<std::size_t>(asked);
  return metrics_plan([query = std::move(query),
                       workspace = call.workspace](Transaction& transaction) {
    return tracking::sample_metrics(transaction, workspace, query);
  });
}

}  // namespace

std::vector<MlflowRoute> metric_routes() {
  std::vector<MlflowRoute> routes{
      json_route(
          Method::kGet, "/metrics/get-history", Scope::kRead, "Every value of a metric", history
      ),
      json_route(
          Method::kGet,
          "/metrics/get-history-bulk-interval",
          Scope::kRead,
          "A metric of several runs, for drawing",
          samples
      ),
      json_route(
          Method::kGet,
          "/metrics/get-history-bulk",
          Scope::kRead,
          "Every value of a metric of several runs",
          histories
      ),
  };
  // MLflow has this one for its web pages alone.
  routes.back().mount = Mount::kAjax2;
  return routes;
}

}  // namespace cortex::frontend::mlflow
