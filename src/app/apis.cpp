// SPDX-License-Identifier: Apache-2.0
// Which APIs a server has, and where they are mounted.
#include <algorithm>
#include <filesystem>
#include <utility>

#include "app/application.h"
#include "app/http_options.h"
#include "app/served_versions.h"
#include "frontend/codec/adapters/adapter_codec.h"
#include "frontend/codec/admin/admin_codec.h"
#include "frontend/codec/anthropic/anthropic_codec.h"
#include "frontend/codec/mlflow/mlflow_codec.h"
#include "frontend/codec/oip/oip_codec.h"
#include "frontend/codec/ollama/ollama_codec.h"
#include "frontend/codec/openai/openai_codec.h"
#include "frontend/codec/prefixes/prefix_codec.h"
#include "frontend/codec/registry/registry_codec.h"
#include "frontend/codec/rerank/rerank_codec.h"
#include "frontend/codec/responses/memory_book.h"
#include "frontend/codec/responses/responses_codec.h"
#include "frontend/codec/responses/stored_book.h"
#include "frontend/codec/tokens/tokens_codec.h"

namespace cortex::app {
namespace {

frontend::openai::StreamSocketOptions socket_options(const config::SocketSettings& from) {
  frontend::openai::StreamSocketOptions out;
  out.generations_max = from.generations;
  out.message_bytes_max = from.message_bytes;
  out.ping_interval = from.ping_interval;
  out.idle_timeout = from.idle_timeout;
  return out;
}

// Of the port that serves metrics alone.
frontend::Api metrics_api(frontend::Api admin) {
  std::erase_if(admin.routes, [](const frontend::Route& route) {
    return route.pattern != "/metrics";
  });
  return admin;
}

}  // namespace

std::vector<std::string> Application::degraded() const {
  std::vector<std::string> out;
  if (storage_ && !storage_->store().health().available) out.emplace_back("store");
  if (followed_) {
    const registry::RemoteHealth health = followed_->models().health();
    if (!health.available || !health.faults.empty()) out.emplace_back("remote_registry");
  }
  return out;
}

// In the database where there is one, else in memory.
void Application::build_response_book() {
  if (settings_.responses.bytes == 0) return;
  frontend::responses::ResponseBookOptions options;
  options.bytes_max = settings_.responses.bytes;
  options.now = unix_milliseconds;
  if (!storage_) {
    response_book_ = std::make_unique<frontend::responses::MemoryBook>(std::move(options));
    return;
  }
  auto book =
      std::make_unique<frontend::responses::StoredBook>(storage_->store(), std::move(options));
  storage_->on_collect([raw = book.get()] { raw->trim(); });
  response_book_ = std::move(book);
}

void Application::build_openai(std::vector<frontend::Api>& out) {
  frontend::openai::OpenAiOptions options;
  options.created = unix_milliseconds() / 1000;
  options.fingerprint = "fp_cortex_" CORTEX_VERSION;
  options.sockets = socket_options(settings_.sockets);
  options.sockets.records = &records_;
  openai_ = std::make_unique<frontend::openai::OpenAiCodec>(
      model_catalog(), submit(), std::move(options)
  );
  out.push_back(openai_->make_api());
  tokens_ = std::make_unique<frontend::tokens::TokensCodec>(model_catalog(), submit());
  out.push_back(tokens_->make_api());
  rerank_ = std::make_unique<frontend::rerank::RerankCodec>(submit());
  out.push_back(rerank_->make_api());
  build_response_book();
  frontend::responses::ResponsesOptions answers;
  answers.book = response_book_.get();
  answers.ttl = settings_.responses.ttl;
  responses_ = std::make_unique<frontend::responses::ResponsesCodec>(submit(), std::move(answers));
  out.push_back(responses_->make_api());
}

std::vector<frontend::Api> Application::build_apis() {
  std::vector<frontend::Api> out;
  const auto stopping = [this] { return stopping_.load(std::memory_order_relaxed); };
  const auto expose = [this](bool open_metrics) {
    return metrics_.expose(open_metrics ? metrics::Form::kOpenMetrics : metrics::Form::kPrometheus);
  };
  frontend::admin::AdminOptions admin{CORTEX_VERSION, stopping, expose, [this] {
                                        return degraded();
                                      }};
  if (storage_) {
    admin.store = [this] {
      const store::StoreHealth health = storage_->store().health();
      return frontend::admin::StoreState{health.available, health.lost_since, health.waiting};
    };
  }
  admin_ = std::make_unique<frontend::admin::AdminCodec>(model_catalog(), std::move(admin));
  out.push_back(admin_->make_api());
  if (settings_.apis.open_inference) {
    const auto ready = [this] { return !stopping_ && settled(); };
    const auto statistics = [this] { return read_statistics(server_metrics_, lanes_); };
    oip_ = std::make_unique<frontend::oip::OipCodec>(
        model_catalog(), submit(), frontend::oip::OipOptions{CORTEX_VERSION, ready, statistics}
    );
    out.push_back(oip_->make_api());
  }
  if (settings_.apis.openai) build_openai(out);
  if (settings_.apis.anthropic) {
    anthropic_ = std::make_unique<frontend::anthropic::AnthropicCodec>(submit());
    out.push_back(anthropic_->make_api());
  }
  if (settings_.apis.ollama) {
    ollama_ = std::make_unique<frontend::ollama::OllamaCodec>(
        model_catalog(), submit(), frontend::ollama::OllamaOptions{CORTEX_VERSION}
    );
    out.push_back(ollama_->make_api());
  }
  prefixes_ = std::make_unique<frontend::prefixes::PrefixCodec>(model_catalog(), cpu_);
  out.push_back(prefixes_->make_api());
  if (settings_.apis.adapters) {
    adapter_api_ = std::make_unique<frontend::adapters::AdapterCodec>(model_catalog(), *adapters_);
    for (frontend::Api& api : adapter_api_->make_apis()) out.push_back(std::move(api));
  }
  if (settings_.apis.mlflow && storage_) {
    frontend::mlflow::MlflowOptions options;
    options.presigned = settings_.store.artifacts.presigned;
    options.multipart_downloads = options.presigned;
    options.webhooks = webhooks_.get();
    options.workspaces = workspaces_;
    mlflow_ = std::make_unique<frontend::mlflow::MlflowCodec>(
        storage_->store(), storage_->artifacts(), options
    );
    for (frontend::Api& api : mlflow_->make_apis()) out.push_back(std::move(api));
  }
  if (settings_.apis.registry && storage_) {
    registry_api_ = std::make_unique<frontend::registry_api::RegistryCodec>(
        storage_->store(),
        storage_->artifacts(),
        frontend::registry_api::RegistryOptions{
            std::filesystem::path(settings_.data) / "backups", {}, webhooks_.get()
        }
    );
    out.push_back(registry_api_->make_api());
  }
  admin_->describe(out);
  return out;
}

Status Application::build_server() {
  frontend::HttpServerOptions options = http_options(settings_, cores_);
  std::vector<frontend::Api> apis = build_apis();
  CORTEX_ASSIGN_OR_RETURN(
      frontend::RouteTable routes, frontend::RouteTable::build(std::move(apis))
  );
  frontend::HttpService service{std::move(routes), std::nullopt, authenticator_.get(), &records_};
  service.quotas = quotas_.get();
  if (options.metrics_port) {
    std::vector<frontend::Api> alone{metrics_api(admin_->make_api())};
    CORTEX_ASSIGN_OR_RETURN(service.metrics_routes, frontend::RouteTable::build(std::move(alone)));
  }
  http_ = std::make_unique<frontend::HttpServer>(std::move(options), std::move(service));
  return {};
}

}  // namespace cortex::app
