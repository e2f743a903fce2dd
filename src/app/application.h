// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "app/access_log.h"
#include "app/followed_registry.h"
#include "app/key_authenticator.h"
#include "app/lane_directory.h"
#include "app/model_loader.h"
#include "app/principal_quotas.h"
#include "app/server_metrics.h"
#include "app/storage.h"
#include "base/core_budget.h"
#include "base/status.h"
#include "base/thread_pool.h"
#include "config/settings.h"
#include "frontend/codec/model_catalog.h"
#include "frontend/http/exchange.h"
#include "frontend/http/server.h"
#include "metrics/metrics_registry.h"
#include "registry/adapters/adapter_shelf.h"
#include "registry/probation.h"
#include "registry/registry.h"
#include "registry/signing/signature_gate.h"
#include "registry/stored/source.h"
#include "registry/stored/stored_models.h"
#include "router/router.h"
#include "router/stages/fall_back.h"
#include "tracking/serving_runs.h"

namespace cortex::connectors {
class WebhookSender;
}
namespace cortex::frontend::adapters {
class AdapterCodec;
}
namespace cortex::frontend::oip {
class OipCodec;
}
namespace cortex::frontend::anthropic {
class AnthropicCodec;
}
namespace cortex::frontend::ollama {
class OllamaCodec;
}
namespace cortex::frontend::openai {
class OpenAiCodec;
}
namespace cortex::frontend::prefixes {
class PrefixCodec;
}
namespace cortex::frontend::admin {
class AdminCodec;
}
namespace cortex::frontend::mlflow {
class MlflowCodec;
}
namespace cortex::frontend::registry_api {
class RegistryCodec;
}
namespace cortex::frontend::responses {
class ResponseBook;
class ResponsesCodec;
}  // namespace cortex::frontend::responses
namespace cortex::frontend::rerank {
class RerankCodec;
}
namespace cortex::frontend::tokens {
class TokensCodec;
}

namespace cortex::app {

// The object graph of a server: every room is made and joined here and nowhere else. lifecycle.cpp
// holds the orders of starting and stopping. Thread: the main one; what it holds has threads of its
// own.
class Application {
 public:
  // Makes everything and starts nothing. Settings have passed config::load. `program`: this
  // program's file, which probations run; empty: there are none.
  [[nodiscard]] static Result<std::unique_ptr<Application>> make(
      const config::Settings& settings, const std::string& program = ""
  );
  ~Application();

  // Runs the start list; the error says which step failed and why.
  [[nodiscard]] Status start();
  // Runs the stop list: no accepted request is lost unless the drain timeout passes. Idempotent.
  void stop();

  // Every model wanted at start has loaded or failed.
  [[nodiscard]] bool settled() const;
  void rescan();

  [[nodiscard]] const config::Settings& settings() const { return settings_; }
  [[nodiscard]] const registry::Registry& models() const { return *registry_; }
  [[nodiscard]] std::uint16_t http_port() const { return http_->port(); }
  [[nodiscard]] std::uint16_t metrics_port() const { return http_->metrics_port(); }
  [[nodiscard]] bool has_keys() const { return has_keys_; }
  // What http_port() answers, once started.
  [[nodiscard]] const frontend::RouteTable& routes() const { return http_->routes(); }

 private:
  explicit Application(const config::Settings& settings);

  [[nodiscard]] Status build_keys();
  [[nodiscard]] Status build_storage();
  void build_metrics();
  void build_engines();
  void build_probation(const std::string& program);
  void build_registry();
  void build_adapters();
  [[nodiscard]] Status build_signing();
  [[nodiscard]] Status build_webhooks();
  [[nodiscard]] registry::RegistryOptions registry_options();
  [[nodiscard]] Status build_stored_models();
  void build_serving_runs();
  void build_router();
  [[nodiscard]] router::FallBackOptions fall_back_options();
  [[nodiscard]] frontend::ModelCatalog model_catalog();
  [[nodiscard]] std::vector<std::string> degraded() const;
  [[nodiscard]] frontend::Submit submit();
  void build_response_book();
  void build_openai(std::vector<frontend::Api>& out);
  [[nodiscard]] std::vector<frontend::Api> build_apis();
  [[nodiscard]] Status build_server();
  void collect_http(metrics::Exposition& out) const;

  struct Phase;
  [[nodiscard]] std::vector<Phase> start_list();
  [[nodiscard]] std::vector<Phase> stop_list();

  // Destroyed from the last to the first: models and works of the store end before the server that
  // their last answers are posted to, and the codecs outlive the server that calls them.
  const config::Settings settings_;
  const CoreBudget cores_;
  std::atomic<bool> stopping_{false};  // not ready any more; still answers
  std::atomic<bool> refusing_{false};  // what still comes is refused
  bool has_keys_ = false;
  std::vector<std::string> workspaces_;
  bool stopped_ = false;
  metrics::MetricsRegistry metrics_;
  ServerMetrics server_metrics_;
  LaneDirectory lanes_;
  AccessLog access_log_;
  RecordFan records_;
  std::unique_ptr<KeyAuthenticator> authenticator_;
  std::unique_ptr<PrincipalQuotas> quotas_;  // null: nobody has limits
  std::unique_ptr<frontend::oip::OipCodec> oip_;
  std::unique_ptr<frontend::openai::OpenAiCodec> openai_;
  std::unique_ptr<frontend::tokens::TokensCodec> tokens_;
  std::unique_ptr<frontend::rerank::RerankCodec> rerank_;
  std::unique_ptr<frontend::responses::ResponseBook> response_book_;  // null: none are kept
  std::unique_ptr<frontend::responses::ResponsesCodec> responses_;
  std::unique_ptr<frontend::anthropic::AnthropicCodec> anthropic_;
  std::unique_ptr<frontend::ollama::OllamaCodec> ollama_;
  std::unique_ptr<frontend::prefixes::PrefixCodec> prefixes_;
  std::unique_ptr<frontend::admin::AdminCodec> admin_;
  std::unique_ptr<frontend::adapters::AdapterCodec> adapter_api_;
  std::unique_ptr<frontend::mlflow::MlflowCodec> mlflow_;
  std::unique_ptr<frontend::registry_api::RegistryCodec> registry_api_;
  std::unique_ptr<router::Router> router_;
  std::unique_ptr<frontend::HttpServer> http_;
  ThreadPool cpu_;
  Engines engines_;
  SequenceEngines sequence_engines_;
  std::unique_ptr<registry::Probation> probation_;  // null: models.probation is off
  std::unique_ptr<registry::Registry> registry_;
  std::unique_ptr<registry::AdapterShelf> adapters_;
  std::unique_ptr<connectors::WebhookSender> webhooks_;    // null without storage
  std::unique_ptr<registry::SignatureGate> signatures_;    // null without storage
  std::unique_ptr<registry::Source> source_;               // null without storage
  std::unique_ptr<FollowedRegistry> followed_;             // null without remote.url
  std::unique_ptr<registry::StoredModels> stored_models_;  // null without storage
  // See storage_. Null without it, or without tracking.serving_runs.
  std::unique_ptr<tracking::ServingRuns> serving_runs_;
  // Null: nothing is kept. The first to go: its last works tell the ones above what became of them.
  std::unique_ptr<Storage> storage_;
};

}  // namespace cortex::app
