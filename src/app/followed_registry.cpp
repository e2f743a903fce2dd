// SPDX-License-Identifier: Apache-2.0
#include "app/followed_registry.h"

#include <string_view>
#include <utility>

#include "registry/remote/mlflow_server.h"

namespace cortex::app {
namespace {

struct RemoteFamily {
  std::string_view name;
  metrics::Type type;
  std::string_view help;
  double (*value)(const registry::RemoteHealth&);
};

constexpr RemoteFamily kRemoteFamilies[] = {
    {"cortex_remote_available",
     metrics::Type::kGauge,
     "1 while the remote registry answers.",
     [](const registry::RemoteHealth& health) { return health.available ? 1.0 : 0.0; }},
    {"cortex_remote_polls_total",
     metrics::Type::kCounter,
     "Times that the remote registry was asked.",
     [](const registry::RemoteHealth& health) { return static_cast<double>(health.polls); }},
    {"cortex_remote_poll_failures_total",
     metrics::Type::kCounter,
     "Times that it gave no or half an answer.",
     [](const registry::RemoteHealth& health) { return static_cast<double>(health.failures); }},
    {"cortex_remote_faulty_versions",
     metrics::Type::kGauge,
     "Versions that are followed and cannot be had.",
     [](const registry::RemoteHealth& health) { return static_cast<double>(health.faults.size()); }
    },
    {"cortex_remote_files_total",
     metrics::Type::kCounter,
     "Files that were downloaded from it.",
     [](const registry::RemoteHealth& health) { return static_cast<double>(health.files); }},
    {"cortex_remote_bytes_total",
     metrics::Type::kCounter,
     "Bytes of these files.",
     [](const registry::RemoteHealth& health) { return static_cast<double>(health.bytes); }},
};

}  // namespace

Result<std::unique_ptr<FollowedRegistry>> FollowedRegistry::make(
    const config::RemoteSettings& settings,
    Storage* storage,
    registry::Source* own,
    std::function<void()> on_change
) {
  if (settings.url.empty()) return std::unique_ptr<FollowedRegistry>();
  if (storage == nullptr)
    return invalid_argument("remote.url needs data: its models are kept there");
  registry::RemoteModelsOptions options;
  options.address = settings.url;
  options.poll_interval = settings.poll_interval;
  options.on_change = std::move(on_change);
  auto selections = registry::parse_selections(settings.models);
  if (!selections.ok()) return selections.status().with_prefix("remote.models: ");
  if (selections->empty()) return invalid_argument("remote.models: names no model to follow");
  options.selections = std::move(*selections);
  registry::MlflowServerOptions server;
  server.url = settings.url;
  server.token = settings.token;
  server.ca_file = settings.ca_file;
  server.timeout = settings.timeout;
  auto remote = registry::MlflowServer::make(server);
  if (!remote.ok()) return remote.status().with_prefix("remote.url: ");
  std::unique_ptr<FollowedRegistry> out(new FollowedRegistry());
  out->remote_ = std::move(*remote);
  out->models_ = std::make_unique<registry::RemoteModels>(
      std::move(options), *out->remote_, storage->store(), storage->artifacts()
  );
  out->source_ = std::make_unique<registry::MergedSource>(*own, *out->models_);
  return out;
}

void write_remote_health(metrics::Exposition& out, const registry::RemoteHealth& health) {
  for (const RemoteFamily& family : kRemoteFamilies) {
    out.family(family.name, family.type, family.help);
    out.sample({}, family.value(health));
  }
}

}  // namespace cortex::app
