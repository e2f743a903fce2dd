// SPDX-License-Identifier: Apache-2.0
// What the outside relies on, word by word: the help of every command, the reference of the
// settings, the metrics.
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>

#include <gtest/gtest.h>

#include "app/adapters.h"
#include "app/followed_registry.h"
#include "app/http_metrics.h"
#include "app/lane_directory.h"
#include "app/principal_quotas.h"
#include "app/registry_metrics.h"
#include "app/response_metrics.h"
#include "app/served_versions.h"
#include "app/server_metrics.h"
#include "app/storage.h"
#include "app/webhooks.h"
#include "cli/command_line.h"
#include "config/reference.h"
#include "metrics/process_metrics.h"

namespace cortex {
namespace {

std::string read(const std::string& path) {
  std::ifstream in(path);
  std::stringstream out;
  out << in.rdbuf();
  return out.str();
}

// Compares with the file below the repository's root, or writes it when GOLDEN_UPDATE is set.
void compare(const std::string& file, const std::string& actual) {
  const std::string path = std::string(CORTEX_ROOT) + "/" + file;
  if (std::getenv("GOLDEN_UPDATE") != nullptr) {
    std::ofstream(path) << actual;
    return;
  }
  EXPECT_EQ(
      read(path), actual
  ) << file
    << " is not what the program says; if the change is meant: tests/golden/README.md";
}

// The lines "# HELP", "# TYPE" and the names with their labels, without values.
std::string metric_list() {
  metrics::MetricsRegistry registry;
  app::ServerMetrics server(registry);
  app::LaneDirectory lanes(10);
  registry.gauge({"cortex_build_info", "The running version; always 1.", {"version"}})
      .with({"V"})
      .set(1);
  registry.add_collector([&](metrics::Exposition& out) { lanes.write(out); });
  registry.add_collector([](metrics::Exposition& out) { app::write_http_counts(out, {}); });
  registry.add_collector([](metrics::Exposition& out) { app::write_store_health(out, {}); });
  registry.add_collector([](metrics::Exposition& out) { app::write_probation_counts(out, {}); });
  registry.add_collector([](metrics::Exposition& out) { app::write_stored_counts(out, {}); });
  registry.add_collector([](metrics::Exposition& out) { app::write_remote_health(out, {}); });
  registry.add_collector([](metrics::Exposition& out) { app::write_serving_run_counts(out, {}); });
  registry.add_collector([](metrics::Exposition& out) {
    app::write_model_memory(out, {{"M", "1", registry::VersionState::kReady, "", 1}});
  });
  registry.add_collector([](metrics::Exposition& out) { app::write_signature_counts(out, {}); });
  registry.add_collector([](metrics::Exposition& out) { app::write_webhook_counts(out, {}); });
  registry.add_collector([](metrics::Exposition& out) { app::write_response_counts(out, {}); });
  registry.add_collector([](metrics::Exposition& out) {
    registry::AdapterState adapter;
    adapter.record.name = "A";
    adapter.record.base_model = "M";
    adapter.uses = adapter.in_use = 1;
    app::write_adapter_metrics(out, {{adapter}, {}, 20}, 1);
  });
  const auto quotas = app::PrincipalQuotas::make({1, 0, 0, 16}, {}, true, registry);
  static_cast<void>(quotas->enter({}, "mlflow"));
  static_cast<void>(quotas->enter({}, "mlflow"));
  metrics::add_process_metrics(registry);
  lanes.probe_for({"M", "1"})->add_batch(1);
  static_cast<void>(lanes.sequence_probe_for({"M", "1"}));
  RequestRecord record;
  record.api = "oip";
  record.route = "/infer";
  record.method = "POST";
  record.http_status = 200;
  record.model = {"M", "1"};
  server.record(record);
  record.status = resource_exhausted("full");
  server.record(record);
  server.record_load({"M", "1"}, std::chrono::seconds(1), {});
  server.record_load({"M", "1"}, std::chrono::seconds(1), invalid_argument("broken"));

  std::istringstream text(registry.expose(metrics::Form::kPrometheus));
  std::string out;
  for (std::string line; std::getline(text, line);) {
    const bool comment = line.starts_with("#");
    out += (comment ? line : line.substr(0, line.rfind(' '))) + "\n";
  }
  return out;
}

TEST(Golden, help_of_every_command) { compare("tests/golden/help.txt", cli::all_help_texts()); }

TEST(Golden, reference_of_the_settings) {
  compare("docs/configuration.md", config::reference_markdown());
}

TEST(Golden, metrics_with_type_help_and_labels) {
  compare("tests/golden/metrics.txt", metric_list());
}

}  // namespace
}  // namespace cortex
