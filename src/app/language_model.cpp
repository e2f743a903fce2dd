// SPDX-License-Identifier: Apache-2.0
#include "app/language_model.h"

#include <algorithm>
#include <cctype>
#include <span>
#include <utility>

#include "app/model_files.h"
#include "app/warm_up.h"
#include "backend/generation/generation_servable.h"
#include "base/log.h"
#include "cache/prefix_file.h"
#include "cache/prefix_store.h"
#include "config/loader.h"
#include "registry/complete_config.h"
#include "scheduler/draft_model.h"
#include "scheduler/sequence_lane.h"

namespace cortex::app {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kTemplateBytesMax = 1u << 20;
constexpr std::size_t kFolderNameMax = 200;

backend::SequenceBackendOptions backend_options(
    const LoaderParts& parts,
    const backend::SequenceEngine& engine,
    const ModelConfig& config,
    const fs::path& folder
) {
  backend::SequenceBackendOptions out;
  out.model_file = version_file(folder, config, engine.default_filename());
  out.model_name = config.name;
  out.threads = engine_threads(config, parts.cores);
  out.context_length = config.generation.context_length;
  out.cells = config.generation.cells;
  out.sequences_max = config.generation.sequences_max;
  out.parameters = config.parameters;
  return out;
}

bool has_prefix_disk(const LoaderParts& parts, const GenerationConfig& config) {
  return !parts.prefixes.empty() && config.prefix_disk_bytes > 0;
}

// No two names become one, and none leads out of the folder.
std::string prefix_folder_name(std::string_view model) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string out = "m-";
  for (const char c : model) {
    const auto byte = static_cast<unsigned char>(c);
    if (std::isalnum(byte) != 0 || c == '-' || c == '_') {
      out += c;
    } else {
      out.append({'.', kDigits[byte >> 4U], kDigits[byte & 15U]});
    }
  }
  if (out.size() <= kFolderNameMax) return out;
  const std::uint64_t whole = cache::prefix_checksum(std::as_bytes(std::span(model)));
  return out.substr(0, kFolderNameMax) + "." + std::to_string(whole);
}

// One folder for all versions of a model: one at a time writes there, and what is another's goes.
std::shared_ptr<cache::PrefixStore> make_prefix_store(
    const LoaderParts& parts, const ModelConfig& config, const backend::SequenceModel& model
) {
  const GenerationConfig& generation = config.generation;
  const bool disk = has_prefix_disk(parts, generation);
  if (!generation.prefix_cache || !model.can_cut || model.digest.empty()) return nullptr;
  if (generation.prefix_memory_bytes == 0 && !disk) return nullptr;
  cache::PrefixStoreOptions options;
  options.model = state_model(config, model);
  options.memory_bytes_max = generation.prefix_memory_bytes;
  if (disk) {
    options.folder = parts.prefixes / prefix_folder_name(config.name);
    options.disk_bytes_max = generation.prefix_disk_bytes;
  }
  return std::make_shared<cache::PrefixStore>(std::move(options));
}

scheduler::SequenceLaneOptions lane_options(
    const LoaderParts& parts,
    const ModelConfig& model_config,
    const ModelIdentity& identity,
    const backend::SequenceModel& model
) {
  const GenerationConfig& config = model_config.generation;
  scheduler::SequenceLaneOptions out;
  out.identity = identity;
  out.running_max = config.sequences_max;
  out.queue_requests_max =
      config.queue_requests_max > 0 ? config.queue_requests_max : parts.queue_requests;
  out.queue_tokens_max = config.queue_tokens_max;
  out.token_interval = config.token_interval;
  out.first_token_max = config.first_token_max;
  out.prefix_cache = config.prefix_cache;
  out.draft_tokens_max = config.speculation == Speculation::kOff ? 0 : config.speculation_tokens;
  out.prefix_store = make_prefix_store(parts, model_config, model);
  out.prefix_store_outlives = has_prefix_disk(parts, config);
  out.probe = parts.lanes.sequence_probe_for(identity);
  return out;
}

struct Template {
  std::string jinja;
  bool configured = false;
};

// The version's own file wins over the model's.
fs::path file_beside(const fs::path& folder, const std::string& name) {
  fs::path own = folder / name;
  return fs::exists(own) ? own : folder.parent_path() / name;
}

// Null where none is wanted.
Result<std::shared_ptr<backend::SequenceBackend>> load_draft_model(
    backend::SequenceEngine& engine,
    const ModelConfig& config,
    backend::SequenceBackendOptions options,
    const fs::path& folder,
    const backend::SequenceBackend& large
) {
  const GenerationConfig& generation = config.generation;
  if (generation.draft_model.empty() || generation.speculation != Speculation::kOn) {
    return std::shared_ptr<backend::SequenceBackend>();
  }
  options.model_file = file_beside(folder, generation.draft_model);
  if (!fs::exists(options.model_file)) {
    return not_found("generation.draft_model: there is no file " + options.model_file.string());
  }
  options.model_name += " (draft)";
  options.context_length = large.model().context_length;
  options.cells = large.model().cells;
  auto loaded = engine.load(options);
  if (!loaded.ok()) return loaded.status().with_prefix("generation.draft_model: ");
  const Status fits = scheduler::DraftModel::fits(**loaded, large);
  if (!fits.ok()) return fits.with_prefix("generation.draft_model: ");
  return std::shared_ptr<backend::SequenceBackend>(std::move(*loaded));
}

Result<Template> find_template(
    const GenerationConfig& config, const fs::path& folder, const backend::SequenceModel& model
) {
  if (config.chat_template.empty()) return Template{model.chat_template, false};
  const fs::path file = file_beside(folder, config.chat_template);
  auto text = config::read_file(file.string(), kTemplateBytesMax);
  if (!text.ok()) return text.status().with_prefix("generation.chat_template: ");
  return Template{std::move(*text), true};
}

Result<std::shared_ptr<const text::ChatTemplate>> compile(
    const Template& found, const backend::SequenceBackend& backend, const ModelIdentity& identity
) {
  if (found.jinja.empty()) return std::shared_ptr<const text::ChatTemplate>();
  const backend::SequenceModel& model = backend.model();
  const auto word = [&](Token token) {
    return token < 0 ? std::string() : backend.vocabulary().piece(token, true);
  };
  auto out = text::ChatTemplate::compile(
      found.jinja, word(model.begin), word(model.ends.empty() ? -1 : model.ends.front())
  );
  if (out.ok()) return std::move(*out);
  if (found.configured) return out.status().with_prefix("generation.chat_template: ");
  log::warning(
      "the model's chat template cannot be used: it serves no conversations",
      {{"model", identity.name}, {"error", out.status().to_string()}}
  );
  return std::shared_ptr<const text::ChatTemplate>();
}

ModelFacts facts_of(
    const fs::path& folder,
    const fs::path& file,
    const backend::SequenceModel& model,
    const Template& found,
    const text::ChatTemplate* compiled
) {
  ModelFacts out;
  add_file_facts(folder, file, out);
  out.weights = model.weights;
  out.context_length = model.context_length;
  if (compiled == nullptr) return out;
  out.chat_template = found.jinja;
  out.thinking =
      compiled->capabilities().thinking || found.jinja.find(text::kThinkBegin) != std::string::npos;
  return out;
}

}  // namespace

std::string state_model(const ModelConfig& config, const backend::SequenceModel& model) {
  std::string out = model.digest + "\ncells=" + std::to_string(model.cells);
  for (const auto& [name, value] : config.parameters) out.append("\n" + name + "=" + value);
  return out;
}

std::size_t engine_threads(const ModelConfig& config, const CoreBudget& cores) {
  if (config.threads > 0) return std::min(config.threads, cores.cores());
  return std::max<std::size_t>(1, cores.cores() - 1);
}

fs::path version_file(
    const fs::path& folder, const ModelConfig& config, std::string_view otherwise
) {
  return folder / (config.default_filename.empty() ? otherwise : config.default_filename);
}

Result<registry::LoadedModel> load_language_model(
    const LoaderParts& parts,
    backend::SequenceEngine& engine,
    ModelConfig config,
    const fs::path& folder,
    const ModelIdentity& identity
) {
  registry::LoadedModel out;
  out.platform = engine.platform();
  out.signature.generates = true;
  CORTEX_ASSIGN_OR_RETURN(out.config, registry::complete_config(std::move(config), out.signature));
  const auto options = backend_options(parts, engine, out.config, folder);
  CORTEX_ASSIGN_OR_RETURN(auto loaded, engine.load(options));
  const std::shared_ptr<backend::SequenceBackend> backend = std::move(loaded);
  CORTEX_ASSIGN_OR_RETURN(
      const Template found, find_template(out.config.generation, folder, backend->model())
  );
  backend::GenerationParts generation;
  CORTEX_ASSIGN_OR_RETURN(generation.chat_template, compile(found, *backend, identity));
  generation.reply_format = text::reply_format_of(found.jinja);
  out.facts =
      facts_of(folder, options.model_file, backend->model(), found, generation.chat_template.get());
  auto lane_how = lane_options(parts, out.config, identity, backend->model());
  CORTEX_ASSIGN_OR_RETURN(
      lane_how.draft_backend, load_draft_model(engine, out.config, options, folder, *backend)
  );
  out.config.default_filename = options.model_file.filename().string();
  out.config.instances = 1;
  out.config.threads = options.threads;
  out.memory_bytes = backend->model().memory_bytes;
  if (lane_how.draft_backend) out.memory_bytes += lane_how.draft_backend->model().memory_bytes;
  auto lane = std::make_unique<scheduler::SequenceLane>(std::move(lane_how), backend, parts.clock);
  generation.controls = lane.get();
  generation.lane = std::move(lane);
  generation.backend = backend;
  generation.cpu = &parts.cpu;
  CORTEX_ASSIGN_OR_RETURN(out.servable, backend::GenerationServable::make(std::move(generation)));
  // As with a text model: nobody declared it, it is there for the first request's sake.
  const Status warm = warm_up_generation(*out.servable, parts.clock);
  if (!warm.ok()) {
    log::warning(
        "the warm-up generation failed", {{"model", identity.name}, {"error", warm.to_string()}}
    );
  }
  return out;
}

}  // namespace cortex::app
