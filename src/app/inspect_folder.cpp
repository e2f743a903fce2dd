// SPDX-License-Identifier: Apache-2.0
#include "app/inspect_folder.h"

#include <filesystem>
#include <memory>
#include <utility>
#include <vector>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include "app/model_loader.h"
#include "backend/llama/llama_engine.h"
#include "backend/onnx/onnx_engine.h"
#include "backend/synthetic/synthetic_engine.h"
#include "backend/synthetic/synthetic_sequences.h"
#include "base/check.h"
#include "registry/model_repository.h"

namespace cortex::app {
namespace {

namespace json = boost::json;

json::array specs_json(const std::vector<TensorSpec>& specs) {
  json::array out;
  for (const TensorSpec& spec : specs) {
    json::object entry;
    entry["name"] = spec.name;
    entry["datatype"] = datatype_name(spec.datatype);
    entry["shape"] = json::array(spec.shape.begin(), spec.shape.end());
    out.push_back(std::move(entry));
  }
  return out;
}

std::string_view pooling_name(Pooling pooling) {
  const auto found = std::find_if(kPoolingNames.begin(), kPoolingNames.end(), [&](const auto& one) {
    return one.second == pooling;
  });
  return found->first;
}

json::object text_json(const TextConfig& text) {
  json::object out;
  out["tokenizer"] = text.tokenizer;
  out["pooling"] = pooling_name(text.pooling.value_or(Pooling::kMean));
  out["normalize"] = text.normalize;
  out["context_length"] = text.context_length;
  return out;
}

json::object config_json(const ModelConfig& config) {
  json::object out;
  out["backend"] = config.backend;
  out["max_batch_size"] = config.max_batch_size;
  out["batching"] = config.batching.enabled;
  out["instances"] = config.instances;
  out["threads"] = config.threads;
  if (!config.inputs.empty()) out["inputs"] = specs_json(config.inputs);
  if (!config.outputs.empty()) out["outputs"] = specs_json(config.outputs);
  if (!config.text.tokenizer.empty()) out["text"] = text_json(config.text);
  return out;
}

// Every engine of a server, with nothing else of it.
class Workbench {
 public:
  Workbench() : lanes_(1), cpu_("cpu", 1, 8) {
    engines_["onnx"] = std::make_shared<backend::OnnxEngine>();
    engines_["synthetic"] = std::make_shared<backend::SyntheticEngine>();
    sequences_["llama"] = std::make_shared<backend::LlamaEngine>();
    sequences_["synthetic_sequences"] = std::make_shared<backend::SyntheticSequenceEngine>();
  }

  [[nodiscard]] Result<registry::LoadedModel> load(
      const ModelConfig& config, const registry::VersionFolder& version
  ) {
    LoaderParts parts{engines_, cores_, lanes_, cpu_, steady_clock()};
    parts.sequences = &sequences_;
    return make_loader(parts)(config, version.path, version.version);
  }

 private:
  Engines engines_;
  SequenceEngines sequences_;
  CoreBudget cores_;
  LaneDirectory lanes_;
  ThreadPool cpu_;
};

Result<json::object> completed_json(
    const ModelConfig& config, const registry::VersionFolder& version
) {
  CORTEX_RETURN_IF_ERROR(version.fault);
  Workbench bench;
  CORTEX_ASSIGN_OR_RETURN(registry::LoadedModel loaded, bench.load(config, version));
  json::object out = config_json(loaded.config);
  if (loaded.signature.generates) {
    out["generation"] = {
        {"context_length", loaded.facts.context_length}, {"memory_bytes", loaded.memory_bytes}
    };
  }
  return out;
}

void add_config(const registry::ModelFolder& read, json::object& out) {
  CHECK(!read.versions.empty(), "a folder without versions is refused");
  const registry::VersionFolder& newest = read.versions.back();
  const ModelConfig& config = newest.config ? *newest.config : read.config;
  const auto completed = completed_json(config, newest);
  out["config"] = completed.ok() ? *completed : config_json(config);
  if (!completed.ok()) out["fault"] = completed.status().to_string();
}

}  // namespace

Result<std::string> inspect_folder(const std::string& folder) {
  std::error_code error;
  const auto path = std::filesystem::canonical(folder, error);
  if (error) return not_found("'" + folder + "': " + error.message());
  const registry::ModelFolder read = registry::read_model_folder(path);
  if (!read.fault.ok()) return failed_precondition(folder + ": " + read.fault.text());
  json::object out;
  out["name"] = read.name;
  json::array versions;
  for (const registry::VersionFolder& version : read.versions) versions.push_back(version.version);
  out["versions"] = std::move(versions);
  add_config(read, out);
  if (!read.without_effect.empty()) {
    out["without_effect"] = json::array(read.without_effect.begin(), read.without_effect.end());
  }
  return json::serialize(out);
}

}  // namespace cortex::app
