// SPDX-License-Identifier: Apache-2.0
#include "app/model_loader.h"

#include <utility>

#include "app/language_model.h"
#include "app/warm_up.h"
#include "backend/embedding/embedding_servable.h"
#include "base/log.h"
#include "registry/complete_config.h"
#include "scheduler/tensor_lane.h"
#include "text/tokenizer.h"

namespace cortex::app {
namespace {

namespace fs = std::filesystem;

// One load on its way; every step fills in what the next one needs.
class Loading {
 public:
  Loading(const LoaderParts& parts, ModelConfig config, fs::path folder, std::int64_t version)
      : parts_(parts), folder_(std::move(folder)), identity_{config.name, std::to_string(version)} {
    model_.config = std::move(config);
  }

  Result<registry::LoadedModel> run() {
    CORTEX_RETURN_IF_ERROR(open_backend());
    CORTEX_RETURN_IF_ERROR(warm_up_backend(*backend_, model_.config));
    if (parts_.run_once && model_.config.warmup.empty()) run_once(*backend_, model_.config);
    build_lane();
    if (!model_.config.text.tokenizer.empty()) CORTEX_RETURN_IF_ERROR(put_text_in_front());
    return std::move(model_);
  }

 private:
  Status open_backend() {
    const auto found = parts_.engines.find(model_.config.backend);
    if (found == parts_.engines.end()) {
      return invalid_argument("there is no backend '" + model_.config.backend + "'");
    }
    backend::TensorEngine& engine = *found->second;
    plan_ = parts_.cores.plan(model_.config.instances, model_.config.threads);
    backend::TensorBackendOptions options;
    const std::string& file = model_.config.default_filename;
    options.model_file =
        folder_ / (file.empty() ? fs::path(engine.default_filename()) : fs::path(file));
    options.model_name = model_.config.name;
    options.threads = plan_.threads_per_instance;
    options.parameters = model_.config.parameters;
    CORTEX_ASSIGN_OR_RETURN(auto opened, engine.load(options));
    backend_ = std::move(opened);
    model_.signature = backend_->signature();
    model_.platform = engine.platform();
    CORTEX_ASSIGN_OR_RETURN(
        model_.config, registry::complete_config(std::move(model_.config), model_.signature)
    );
    return {};
  }

  void build_lane() {
    scheduler::TensorLaneOptions options;
    options.identity = identity_;
    options.config = model_.config;
    options.instances = plan_.instances;
    options.queue_size_max = parts_.queue_requests;
    options.probe = parts_.lanes.probe_for(identity_);
    model_.servable =
        std::make_unique<scheduler::TensorLane>(std::move(options), backend_, parts_.clock);
  }

  Status put_text_in_front() {
    backend::EmbeddingParts text;
    // The version's own tokenizer wins over the model's.
    const fs::path own = folder_ / model_.config.text.tokenizer;
    const fs::path file =
        fs::exists(own) ? own : folder_.parent_path() / model_.config.text.tokenizer;
    CORTEX_ASSIGN_OR_RETURN(text.tokenizer, text::Tokenizer::load(file));
    text.lane = std::move(model_.servable);
    text.config = model_.config;
    text.signature = model_.signature;
    text.cpu = &parts_.cpu;
    CORTEX_ASSIGN_OR_RETURN(model_.servable, backend::EmbeddingServable::make(std::move(text)));
    // Nobody declared this one: it is there for the first request's sake, and a model that fails it
    // fails requests with their own error.
    const Status warm = warm_up_text(*model_.servable, parts_.clock);
    if (!warm.ok()) {
      log::warning(
          "the warm-up text failed", {{"model", identity_.name}, {"error", warm.to_string()}}
      );
    }
    return {};
  }

  const LoaderParts& parts_;
  const fs::path folder_;
  const ModelIdentity identity_;
  CoreBudget::Plan plan_{};
  std::shared_ptr<backend::TensorBackend> backend_;
  registry::LoadedModel model_;
};

}  // namespace

registry::Loader make_loader(LoaderParts parts) {
  return [parts](
             const ModelConfig& config, const fs::path& folder, std::int64_t version
         ) -> Result<registry::LoadedModel> {
    if (parts.sequences != nullptr) {
      const auto found = parts.sequences->find(config.backend);
      const ModelIdentity identity{config.name, std::to_string(version)};
      if (found != parts.sequences->end()) {
        return load_language_model(parts, *found->second, config, folder, identity);
      }
    }
    return Loading(parts, config, folder, version).run();
  };
}

}  // namespace cortex::app
