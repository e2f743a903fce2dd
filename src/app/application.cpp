// SPDX-License-Identifier: Apache-2.0
#include "app/application.h"

#include <algorithm>
#include <filesystem>
#include <utility>

#include "app/adapters.h"
#include "app/artifact_place.h"
#include "app/http_metrics.h"
#include "app/model_prober.h"
#include "app/registry_metrics.h"
#include "app/response_metrics.h"
#include "app/served_versions.h"
#include "app/webhooks.h"
#include "backend/llama/llama_engine.h"
#include "backend/onnx/onnx_engine.h"
#include "backend/synthetic/synthetic_engine.h"
#include "backend/synthetic/synthetic_sequences.h"
#include "base/log.h"
#include "config/keys.h"
#include "config/loader.h"
#include "connectors/webhook_sender.h"
#include "frontend/codec/adapters/adapter_codec.h"
#include "frontend/codec/admin/admin_codec.h"
#include "frontend/codec/anthropic/anthropic_codec.h"
#include "frontend/codec/json_depth.h"
#include "frontend/codec/mlflow/mlflow_codec.h"
#include "frontend/codec/mlflow/webhook_events.h"
#include "frontend/codec/oip/oip_codec.h"
#include "frontend/codec/ollama/ollama_codec.h"
#include "frontend/codec/openai/openai_codec.h"
#include "frontend/codec/prefixes/prefix_codec.h"
#include "frontend/codec/registry/registry_codec.h"
#include "frontend/codec/rerank/rerank_codec.h"
#include "frontend/codec/responses/response_book.h"
#include "frontend/codec/responses/responses_codec.h"
#include "frontend/codec/tokens/tokens_codec.h"
#include "metrics/process_metrics.h"
#include "registry/stored/store_source.h"
#include "router/default_stages.h"
#include "router/key_ring.h"

namespace cortex::app {
namespace {

constexpr std::size_t kKeysFileBytesMax = 64u << 20;
// Calls that wait for a thread; more long texts than this are refused with 429.
constexpr std::size_t kCpuQueueLimit = 1024;

registry::ControlMode control_mode(config::ModelControl control) {
  switch (control) {
    case config::ModelControl::kPoll:
      return registry::ControlMode::kPoll;
    case config::ModelControl::kExplicit:
      return registry::ControlMode::kExplicit;
    case config::ModelControl::kNone:
      break;
  }
  return registry::ControlMode::kNone;
}

}  // namespace

Application::Application(const config::Settings& settings)
    : settings_(settings),
      cores_(settings.cores),
      metrics_(settings.metrics.series),
      server_metrics_(metrics_),
      lanes_(settings.metrics.series),
      access_log_(settings.log.access),
      records_({&server_metrics_, &access_log_}),
      cpu_("cpu", std::max<std::size_t>(1, cores_.cores()), kCpuQueueLimit) {}

Application::~Application() { stop(); }

Result<std::unique_ptr<Application>> Application::make(
    const config::Settings& settings, const std::string& program
) {
  frontend::set_json_depth_max(static_cast<int>(settings.limits.json_depth));
  std::unique_ptr<Application> app(new Application(settings));
  CORTEX_RETURN_IF_ERROR(app->build_keys());
  CORTEX_RETURN_IF_ERROR(app->build_storage());
  CORTEX_RETURN_IF_ERROR(app->build_signing());
  CORTEX_RETURN_IF_ERROR(app->build_webhooks());
  app->build_metrics();
  app->build_engines();
  app->build_probation(program);
  app->build_registry();
  app->build_adapters();
  CORTEX_RETURN_IF_ERROR(app->build_stored_models());
  app->build_serving_runs();
  app->build_router();
  CORTEX_RETURN_IF_ERROR(app->build_server());
  return app;
}

Status Application::build_keys() {
  config::KeyFile file;
  if (!settings_.auth.keys_file.empty()) {
    CORTEX_ASSIGN_OR_RETURN(
        const std::string text, config::read_file(settings_.auth.keys_file, kKeysFileBytesMax)
    );
    file = config::parse_keys(text, settings_.auth.keys_file);
    if (!file.faults.empty()) return invalid_argument("keys:\n" + config::fault_text(file.faults));
  }
  router::KeyRing ring(file.keys, settings_.auth.api_keys);
  has_keys_ = !ring.open();
  // A key file without a key would open the server to everybody.
  if (!has_keys_ && !settings_.auth.keys_file.empty()) {
    return invalid_argument("'" + settings_.auth.keys_file + "' holds no key");
  }
  CORTEX_ASSIGN_OR_RETURN(
      router::Workspaces workspaces, router::Workspaces::make(settings_.auth.workspaces)
  );
  for (const config::KeyEntry& key : file.keys) {
    if (key.workspace == router::kEveryWorkspace || workspaces.contains(key.workspace)) continue;
    return invalid_argument(
        "the key '" + key.name + "' is bound to the workspace '" + key.workspace +
        "', which `auth.workspaces` does not name"
    );
  }
  workspaces_ = workspaces.names();
  quotas_ = PrincipalQuotas::make(settings_.quotas, file.keys, !has_keys_, metrics_);
  authenticator_ = std::make_unique<KeyAuthenticator>(
      std::move(ring), router::KeyRing({}, settings_.adapters.api_keys), std::move(workspaces)
  );
  return {};
}

Status Application::build_storage() {
  CORTEX_ASSIGN_OR_RETURN(storage_, Storage::open(settings_));
  return {};
}

Status Application::build_signing() {
  registry::TrustedKeys trusted;
  for (const std::string& file : settings_.signing.trusted_keys) {
    CORTEX_ASSIGN_OR_RETURN(
        const std::string pem, config::read_file(file, registry::kKeyFileBytesMax)
    );
    const Status status = trusted.add(pem);
    if (!status.ok()) return status.with_prefix("signing.trusted_keys: '" + file + "': ");
  }
  if (!storage_) return {};
  signatures_ = std::make_unique<registry::SignatureGate>(
      storage_->store(), storage_->artifacts(), Principal{}.workspace, std::move(trusted)
  );
  return {};
}

Status Application::build_webhooks() {
  if (!storage_ || !(settings_.apis.mlflow || settings_.apis.registry)) return {};
  const config::WebhookSettings& from = settings_.webhooks;
  const std::filesystem::path data(settings_.data);
  const bool own = from.secret_key_file.empty();
  const std::filesystem::path key =
      own ? data / "webhooks.key" : std::filesystem::path(from.secret_key_file);
  auto box = connectors::SecretBox::open(key, own);
  if (!box.ok()) return box.status().with_prefix("connectors.webhooks.secret_key_file: ");
  webhooks_ = std::make_unique<connectors::WebhookSender>(
      webhook_options(from, data), storage_->store(), *box, frontend::mlflow::webhook_feed()
  );
  return {};
}

void Application::build_metrics() {
  metrics_.gauge({"cortex_build_info", "The running version; always 1.", {"version"}})
      .with({CORTEX_VERSION})
      .set(1);
  metrics_.add_collector([this](metrics::Exposition& out) { lanes_.write(out); });
  metrics_.add_collector([this](metrics::Exposition& out) { collect_http(out); });
  metrics_.add_collector([this](metrics::Exposition& out) {
    if (response_book_) write_response_counts(out, response_book_->counts());
  });
  if (storage_) {
    metrics_.add_collector([this](metrics::Exposition& out) {
      write_store_health(out, storage_->store().health());
      write_artifact_traffic(out, storage_->artifacts());
      write_signature_counts(out, signatures_->counts());
      if (webhooks_) write_webhook_counts(out, webhooks_->counts());
      if (registry_api_) write_replays_evicted(out, registry_api_->replays_evicted());
    });
  }
  metrics::add_process_metrics(metrics_);
}

void Application::collect_http(metrics::Exposition& out) const {
  write_http_counts(out, http_ ? http_->counts() : frontend::HttpCounts{});
}

void Application::build_engines() {
  auto onnx = std::make_shared<backend::OnnxEngine>(backend::OnnxOptions{settings_.onnx.library});
  if (!onnx->status().ok()) {
    log::warning("ONNX models cannot be loaded", {{"reason", onnx->status().to_string()}});
  }
  engines_["onnx"] = std::move(onnx);
  engines_["synthetic"] = std::make_shared<backend::SyntheticEngine>();
  // Its library is opened with the first model: who serves none need not have it.
  sequence_engines_["llama"] = std::make_shared<backend::LlamaEngine>();
  sequence_engines_["synthetic_sequences"] = std::make_shared<backend::SyntheticSequenceEngine>();
}

void Application::build_probation(const std::string& program) {
  if (!settings_.models.probation || program.empty()) return;
  ProberOptions options;
  options.program = program;
  options.onnx_library = settings_.onnx.library;
  options.cores = cores_.cores();
  options.deadline = settings_.models.probation_deadline;
  options.memory_bytes = settings_.models.probation_memory;
  std::filesystem::path folder;
  if (!settings_.data.empty()) folder = std::filesystem::path(settings_.data) / "probation";
  probation_ = std::make_unique<registry::Probation>(
      std::move(folder), make_prober(std::move(options), engines_, sequence_engines_)
  );
  metrics_.add_collector([this](metrics::Exposition& out) {
    write_probation_counts(out, probation_->counts());
  });
}

registry::RegistryOptions Application::registry_options() {
  registry::RegistryOptions options;
  options.repositories.assign(
      settings_.models.repositories.begin(), settings_.models.repositories.end()
  );
  options.mode = control_mode(settings_.models.control);
  options.startup_models = settings_.models.load;
  options.loader_threads = settings_.models.loader_threads;
  options.drain_deadline = settings_.drain_timeout;
  options.poll_period = settings_.models.poll_interval;
  if (storage_) options.stored = storage_->models();
  options.default_alias = settings_.models.default_alias;
  // Made before the registry starts, and what it tells them after they stopped is nothing to them.
  options.on_change = [this] {
    if (stored_models_) stored_models_->registry_changed();
    if (adapters_) adapters_->models_changed();
  };
  options.on_load = [this](const ModelIdentity& model, Duration took, const Status& status) {
    server_metrics_.record_load(model, took, status);
  };
  options.probation = probation_.get();
  return options;
}

void Application::build_registry() {
  LoaderParts parts{
      engines_, cores_, lanes_, cpu_, steady_clock(), settings_.limits.queue_requests
  };
  parts.sequences = &sequence_engines_;
  if (!settings_.data.empty()) parts.prefixes = std::filesystem::path(settings_.data) / "prefixes";
  registry_ =
      std::make_unique<registry::Registry>(registry_options(), make_loader(parts), steady_clock());
  metrics_.add_collector([this](metrics::Exposition& out) {
    write_model_memory(out, registry_->index());
  });
}

void Application::build_adapters() {
  adapters_ = std::make_unique<registry::AdapterShelf>(
      adapter_options(settings_.adapters),
      [this](const ModelReference& reference) { return registry_->acquire(reference); },
      storage_ ? &storage_->store() : nullptr,
      steady_clock()
  );
  metrics_.add_collector([this](metrics::Exposition& out) {
    const AdapterReading reading{
        adapters_->list(), adapters_->counts(), adapters_->limits().adapters_max
    };
    write_adapter_metrics(out, reading, settings_.metrics.series);
  });
}

Status Application::build_stored_models() {
  if (storage_) {
    source_ = std::make_unique<registry::StoreSource>(
        storage_->store(), storage_->artifacts(), Principal{}.workspace, signatures_.get()
    );
  }
  CORTEX_ASSIGN_OR_RETURN(
      followed_,
      FollowedRegistry::make(
          settings_.remote,
          storage_.get(),
          source_.get(),
          [this] { stored_models_->source_changed(); }
      )
  );
  if (!storage_) return {};
  registry::StoredModelsOptions options;
  options.folder = storage_->models();
  options.versions_max = settings_.models.stored_versions;
  stored_models_ = std::make_unique<registry::StoredModels>(
      std::move(options), followed_ ? followed_->source() : *source_, *registry_, steady_clock()
  );
  storage_->store().on_change([this](std::int64_t) {
    stored_models_->source_changed();
    adapters_->catalog_changed();
    if (webhooks_) webhooks_->wake();
  });
  metrics_.add_collector([this](metrics::Exposition& out) {
    write_stored_counts(out, stored_models_->counts());
    if (followed_) write_remote_health(out, followed_->models().health());
  });
  return {};
}

void Application::build_serving_runs() {
  if (!storage_ || !settings_.tracking.serving_runs) return;
  serving_runs_ = make_serving_runs(settings_, *storage_, [this] {
    return read_served(server_metrics_, lanes_, *registry_);
  });
  metrics_.add_collector([this](metrics::Exposition& out) {
    write_serving_run_counts(out, serving_runs_->counts());
  });
}

void Application::build_router() {
  router::StageContext context{
      steady_clock(),
      refusing_,
      [this](const ModelReference& reference) { return adapters_->acquire(reference); },
      fall_back_options()
  };
  context.adapters = [this](
                         const ModelReference& reference,
                         const registry::Handle& handle,
                         TimePoint deadline,
                         std::function<void(Result<registry::AdapterLease>)> done
                     ) { adapters_->lend(reference, handle, deadline, std::move(done)); };
  if (quotas_) context.quota = quotas_->stage_options();
  router_ = std::make_unique<router::Router>(router::default_stages(std::move(context)));
}

router::FallBackOptions Application::fall_back_options() {
  if (!settings_.models.fallback) return {};
  auto& fallbacks = metrics_.counter(
      {"cortex_fallbacks_total", "Requests tried again on the previous version.", {"model"}}
  );
  return {
      [this](const ModelReference& reference, const std::string& failed) {
        return registry_->acquire_previous(reference, failed);
      },
      [&fallbacks](const ModelIdentity& failed, const ModelIdentity&) {
        fallbacks.with({failed.name}).add(1);
      }
  };
}

bool Application::settled() const {
  return registry_->settled() && (!followed_ || followed_->models().settled()) &&
         (!stored_models_ || stored_models_->settled());
}

void Application::rescan() {
  registry_->rescan();
  if (followed_) followed_->models().refresh({});
  if (stored_models_) stored_models_->rescan();
}

frontend::ModelCatalog Application::model_catalog() {
  frontend::ModelCatalog out;
  out.find = [this](const ModelReference& reference) { return adapters_->acquire(reference); };
  out.adapters = [this] { return offered_adapters(*adapters_); };
  out.lend = [this](
                 const ModelReference& reference,
                 const registry::Handle& handle,
                 TimePoint deadline,
                 std::function<void(Result<registry::AdapterLease>)> done
             ) { adapters_->lend(reference, handle, deadline, std::move(done)); };
  out.index = [this] { return registry_->index(); };
  out.ready_models = [this] { return registry_->ready_models(); };
  out.settled = [this] { return settled(); };
  out.load =
      [this](
          const std::string& name, registry::LoadOverride change, std::function<void(Status)> done
      ) {
        // What another server says of the model is asked there.
        if (followed_ && followed_->models().follows(name) && !change.config_json)
          return followed_->models().refresh(std::move(done));
        registry_->load(name, std::move(change), std::move(done));
      };
  out.unload = [this](const std::string& name, std::function<void(Status)> done) {
    registry_->unload(name, std::move(done));
  };
  return out;
}

frontend::Submit Application::submit() {
  return [this](std::shared_ptr<const Request> request, std::shared_ptr<ResponseStream> stream) {
    router_->route(std::move(request), std::move(stream));
  };
}

}  // namespace cortex::app
