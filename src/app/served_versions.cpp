// SPDX-License-Identifier: Apache-2.0
#include "app/served_versions.h"

#include <unistd.h>

#include <array>
#include <charconv>
#include <string>
#include <utility>

#include "metrics/histogram.h"
#include "registry/catalog/model_version.h"
#include "request/principal.h"
#include "tracking/runs.h"

namespace cortex::app {
namespace {

constexpr const char* kRunTag = "cortex.serving_run";

std::string host_name() {
  std::array<char, 256> name{};
  if (gethostname(name.data(), name.size() - 1) != 0) return "";
  return name.data();
}

Status link_to_version(
    store::Transaction& transaction, const tracking::ServedCounts& served, const std::string& run_id
) {
  registry::VersionId id;
  id.model = served.model;
  const std::string& digits = served.version;
  std::from_chars(digits.data(), digits.data() + digits.size(), id.version);
  const std::string workspace = Principal{}.workspace;
  const auto version = registry::find_version(transaction, workspace, id);
  // Deleted meanwhile, or another server's.
  if (version.status().code() == Code::kNotFound) return {};
  CORTEX_RETURN_IF_ERROR(version.status());
  registry::Authorship author;
  author.workspace = workspace;
  author.user = "cortex";
  author.at = unix_milliseconds();
  CORTEX_RETURN_IF_ERROR(registry::set_version_tag(transaction, author, id, kRunTag, run_id));
  if (version->logged_model.empty()) return {};
  return tracking::log_inputs(transaction, workspace, run_id, {{}, {version->logged_model}});
}

}  // namespace

std::vector<tracking::ServedCounts> read_served(
    const ServerMetrics& metrics, const LaneDirectory& lanes, const registry::Registry& models
) {
  std::vector<tracking::ServedCounts> out = metrics.served();
  const auto counts = lanes.counts();
  for (tracking::ServedCounts& served : out) {
    const auto found = counts.find({served.model, served.version});
    if (found != counts.end()) served.rows = found->second.rows;
    const auto handle = models.acquire(ModelReference{served.model, served.version, "", ""});
    served.registered = handle.ok() && (*handle)->stored;
  }
  return out;
}

std::vector<frontend::oip::ModelStatistics> read_statistics(
    const ServerMetrics& metrics, const LaneDirectory& lanes
) {
  std::vector<frontend::oip::ModelStatistics> out = metrics.statistics();
  const auto counts = lanes.counts();
  for (frontend::oip::ModelStatistics& model : out) {
    const auto found = counts.find({model.model.name, model.model.version});
    if (found == counts.end()) {  // a language model: its steps belong to many requests
      model.rows = model.executions = model.success.count;
      continue;
    }
    model.rows = found->second.rows;
    model.executions = found->second.executions;
  }
  return out;
}

std::unique_ptr<tracking::ServingRuns> make_serving_runs(
    const config::Settings& settings,
    Storage& storage,
    std::function<std::vector<tracking::ServedCounts>()> read
) {
  tracking::ServingRunsOptions options;
  options.workspace = Principal{}.workspace;
  options.artifact_root = "mlflow-artifacts:";
  options.server = host_name() + ":" + std::to_string(settings.http.port);
  options.interval = settings.tracking.serving_interval;
  tracking::ServingRunsParts parts;
  parts.read = std::move(read);
  parts.latency_bounds = metrics::duration_bounds();
  parts.link = link_to_version;
  return std::make_unique<tracking::ServingRuns>(
      std::move(options), std::move(parts), storage.store()
  );
}

void write_serving_run_counts(metrics::Exposition& out, const tracking::ServingRunsCounts& counts) {
  out.family(
      "cortex_serving_run_values_total",
      metrics::Type::kCounter,
      "Readings of versions that were written to their runs."
  );
  out.sample({}, static_cast<double>(counts.written));
  out.family(
      "cortex_serving_run_failures_total",
      metrics::Type::kCounter,
      "Writes of runs that were refused; their readings are in the next ones."
  );
  out.sample({}, static_cast<double>(counts.failed));
}

}  // namespace cortex::app
