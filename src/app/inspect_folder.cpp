// SPDX-License-Identifier: Apache-2.0
#include "app/inspect_folder.h"

#include <algorithm>
#include <filesystem>
#include <vector>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

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
  // What is not declared comes from the model when it is loaded.
  if (!config.inputs.empty()) out["inputs"] = specs_json(config.inputs);
  if (!config.outputs.empty()) out["outputs"] = specs_json(config.outputs);
  if (!config.text.tokenizer.empty()) out["text"] = text_json(config.text);
  return out;
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
  out["config"] = config_json(read.config);
  if (!read.without_effect.empty()) {
    out["without_effect"] = json::array(read.without_effect.begin(), read.without_effect.end());
  }
  return json::serialize(out);
}

}  // namespace cortex::app
