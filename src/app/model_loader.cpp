// SPDX-License-Identifier: Apache-2.0
#include "app/model_loader.h"

#include <utility>

#include "app/language_model.h"
#include "app/model_files.h"
#include "app/warm_up.h"
#include "backend/embedding/embedding_servable.h"
#include "backend/row_trial.h"
#include "backend/text_engine.h"
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
    return finish();
  }

  // A model whose file holds its tokenizer, too.
  Result<registry::LoadedModel> run_text(backend::TextEngine& engine, const fs::path& file) {
    CORTEX_RETURN_IF_ERROR(open_text_model(engine, file));
    return finish();
  }

 private:
  Result<registry::LoadedModel> finish() {
    add_file_facts(folder_, file_, model_.facts);
    CORTEX_RETURN_IF_ERROR(warm_up_backend(*backend_, model_.config));
    if (parts_.run_once && model_.config.warmup.empty()) run_once(*backend_, model_.config);
    build_lane();
    if (!model_.config.text.tokenizer.empty()) CORTEX_RETURN_IF_ERROR(put_text_in_front());
    model_.config.default_filename = file_.filename().string();
    model_.config.instances = plan_.instances;
    model_.config.threads = plan_.threads_per_instance;
    return std::move(model_);
  }

  Status open_backend() {
    const auto found = parts_.engines.find(model_.config.backend);
    if (found == parts_.engines.end()) {
      return invalid_argument("there is no backend '" + model_.config.backend + "'");
    }
    backend::TensorEngine& engine = *found->second;
    plan_ = parts_.cores.plan(model_.config.instances, model_.config.threads);
    backend::TensorBackendOptions options;
    file_ = version_file(folder_, model_.config, engine.default_filename());
    options.model_file = file_;
    options.model_name = model_.config.name;
    options.threads = plan_.threads_per_instance;
    options.parameters = model_.config.parameters;
    CORTEX_ASSIGN_OR_RETURN(auto opened, engine.load(options));
    backend_ = std::move(opened);
    model_.platform = engine.platform();
    return complete();
  }

  Status open_text_model(backend::TextEngine& engine, const fs::path& file) {
    ModelConfig& config = model_.config;
    if (config.instances > 1) {
      return invalid_argument(
          "model '" + config.name + "': a model of this engine has one instance: give it threads"
      );
    }
    file_ = file;
    plan_ = {1, engine_threads(config, parts_.cores)};
    backend::TextModelOptions options;
    options.model_file = file;
    options.model_name = config.name;
    options.threads = plan_.threads_per_instance;
    options.pooling = config.text.pooling;
    options.context_length = config.text.context_length;
    options.batch_size_max =
        config.open.batch_size ? registry::kDerivedBatchSize : config.max_batch_size;
    options.parameters = config.parameters;
    CORTEX_ASSIGN_OR_RETURN(backend::TextModel opened, engine.load_text(options));
    backend_ = std::move(opened.backend);
    tokenizer_ = std::move(opened.tokenizer);
    model_.platform = engine.platform();
    // The file pools: what comes out of it is a vector or a score already.
    const bool scores = find_spec(backend_->signature().outputs, "logits") != nullptr;
    config.text.pooling = scores ? Pooling::kRank : Pooling::kNone;
    config.text.context_length = opened.context_length;
    model_.facts.weights = std::move(opened.weights);
    config.text.tokenizer = file.filename().string();
    return complete();
  }

  Status complete() {
    model_.signature = backend_->signature();
    if (registry::derives_batching(model_.config, model_.signature)) try_batches();
    CORTEX_ASSIGN_OR_RETURN(
        model_.config, registry::complete_config(std::move(model_.config), model_.signature)
    );
    return {};
  }

  // The first dimension that varies may be a batch or a length: the model is asked. Where its
  // neighbours are known to change an answer, rows run one by one anyway.
  void try_batches() {
    const bool told = model_.signature.batch_changes_answers || !model_.signature.rows_untried;
    if (told || backend::rows_stand_alone(*backend_)) return;
    model_.config.open.batch_size = false;
    log::info(
        "nobody said max_batch_size, and rows are not computed as if each were alone: no batches",
        {{"model", identity_.name}}
    );
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
    model_.config.text.pooling = backend::pooling_of(model_.config, model_.signature);
    model_.facts.context_length = model_.config.text.context_length;
    backend::EmbeddingParts text;
    if (!tokenizer_) CORTEX_RETURN_IF_ERROR(load_tokenizer());
    text.tokenizer = tokenizer_;
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

  Status load_tokenizer() {
    // The version's own wins over the model's.
    const fs::path own = folder_ / model_.config.text.tokenizer;
    const fs::path file =
        fs::exists(own) ? own : folder_.parent_path() / model_.config.text.tokenizer;
    CORTEX_ASSIGN_OR_RETURN(tokenizer_, text::Tokenizer::load(file));
    return {};
  }

  const LoaderParts& parts_;
  const fs::path folder_;
  const ModelIdentity identity_;
  fs::path file_;  // of the model
  CoreBudget::Plan plan_{};
  std::shared_ptr<backend::TensorBackend> backend_;
  std::shared_ptr<const text::Tokenizer> tokenizer_;
  registry::LoadedModel model_;
};

// Where its owner does not say it, the file does; what cannot be read is none here, and its load
// says why.
bool is_for_texts(backend::TextEngine& engine, const ModelConfig& config, const fs::path& file) {
  if (config.text.pooling) return true;
  const auto alone = engine.takes_texts_alone(file);
  return alone.ok() && *alone;
}

// A sequence engine may be one for texts, too.
Result<registry::LoadedModel> load_with(
    backend::SequenceEngine& engine,
    const LoaderParts& parts,
    const ModelConfig& config,
    const fs::path& folder,
    std::int64_t version
) {
  auto* texts = dynamic_cast<backend::TextEngine*>(&engine);
  const fs::path file = version_file(folder, config, engine.default_filename());
  if (texts != nullptr && is_for_texts(*texts, config, file)) {
    return Loading(parts, config, folder, version).run_text(*texts, file);
  }
  const ModelIdentity identity{config.name, std::to_string(version)};
  return load_language_model(parts, engine, config, folder, identity);
}

}  // namespace

registry::Loader make_loader(LoaderParts parts) {
  return [parts](
             const ModelConfig& config, const fs::path& folder, std::int64_t version
         ) -> Result<registry::LoadedModel> {
    if (parts.sequences != nullptr) {
      const auto found = parts.sequences->find(config.backend);
      if (found != parts.sequences->end()) {
        return load_with(*found->second, parts, config, folder, version);
      }
    }
    return Loading(parts, config, folder, version).run();
  };
}

}  // namespace cortex::app
