// SPDX-License-Identifier: Apache-2.0
#include "frontend/codec/oip/model_document.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <string_view>

#include <boost/json.hpp>

#include "request/validate_infer.h"

namespace cortex::frontend::oip {
namespace {

namespace json = boost::json;

json::array dimensions(const Shape& shape) { return json::array(shape.begin(), shape.end()); }

json::array metadata_tensors(const std::vector<TensorSpec>& specs, const ModelConfig& config) {
  json::array out;
  for (const TensorSpec& spec : specs) {
    out.push_back({
        {"name", spec.name},
        {"datatype", datatype_name(spec.datatype)},
        {"shape", dimensions(wire_shape(spec, config))},
    });
  }
  return out;
}

std::string config_type(DataType type) {
  if (type == DataType::kBytes) return "TYPE_STRING";
  return "TYPE_" + std::string(datatype_name(type));
}

Shape config_dims(const TensorSpec& spec, const ModelConfig& config) {
  Shape shape = wire_shape(spec, config);
  if (config.max_batch_size > 0) shape.erase(shape.begin());
  return shape;
}

json::array config_inputs(const registry::ServingVersion& version) {
  json::array out;
  for (const TensorSpec& spec : version.signature.inputs) {
    const TensorSpec* own = find_spec(version.config.inputs, spec.name);
    out.push_back({
        {"name", spec.name},
        {"data_type", config_type(spec.datatype)},
        {"dims", dimensions(config_dims(spec, version.config))},
        {"optional", spec.optional || (own != nullptr && own->optional)},
    });
  }
  return out;
}

json::array config_outputs(const registry::ServingVersion& version) {
  json::array out;
  for (const TensorSpec& spec : version.signature.outputs) {
    out.push_back({
        {"name", spec.name},
        {"data_type", config_type(spec.datatype)},
        {"dims", dimensions(config_dims(spec, version.config))},
    });
  }
  return out;
}

json::object version_policy(const ModelConfig& config) {
  switch (config.version_policy) {
    case VersionPolicy::kAll:
      return {{"all", json::object()}};
    case VersionPolicy::kSpecific: {
      const auto& versions = config.specific_versions;
      return {{"specific", {{"versions", json::array(versions.begin(), versions.end())}}}};
    }
    case VersionPolicy::kLatest:
      break;
  }
  return {{"latest", {{"num_versions", config.latest_versions}}}};
}

json::object queue_policy(const QueuePolicy& policy) {
  return {
      {"timeout_action", policy.delay_on_timeout ? "DELAY" : "REJECT"},
      {"default_timeout_microseconds", policy.timeout.count()},
      {"allow_timeout_override", policy.allow_timeout_override},
      {"max_queue_size", policy.queue_size_max},
  };
}

json::object dynamic_batching(const BatchingConfig& batching) {
  json::object policies;
  for (const auto& [level, policy] : batching.policies) {
    policies.emplace(std::to_string(level), queue_policy(policy));
  }
  const auto& sizes = batching.preferred_sizes;
  return {
      {"preferred_batch_size", json::array(sizes.begin(), sizes.end())},
      {"max_queue_delay_microseconds", batching.queue_delay_max.count()},
      {"preserve_ordering", batching.preserve_ordering},
      {"priority_levels", batching.priority_levels},
      {"default_priority_level", batching.default_priority},
      {"default_queue_policy", queue_policy(batching.default_policy)},
      {"priority_queue_policy", std::move(policies)},
  };
}

json::object warmup_sample(const WarmupSample& sample) {
  json::object inputs;
  for (const TensorSpec& input : sample.inputs) {
    inputs.emplace(
        input.name,
        json::object{
            {"data_type", config_type(input.datatype)},
            {"dims", dimensions(input.shape)},
            {sample.random ? "random_data" : "zero_data", true},
        }
    );
  }
  return {
      {"name", sample.name},
      {"batch_size", sample.batch_size},
      {"inputs", std::move(inputs)},
      {"count", sample.count},
  };
}

json::array warmup(const ModelConfig& config) {
  json::array out;
  for (const WarmupSample& sample : config.warmup) out.push_back(warmup_sample(sample));
  return out;
}

json::object parameters(const ModelConfig& config) {
  json::object out;
  for (const auto& [name, value] : config.parameters) {
    out.emplace(name, json::object{{"string_value", value}});
  }
  if (config.threads > 0) {
    out.emplace(
        "intra_op_thread_count", json::object{{"string_value", std::to_string(config.threads)}}
    );
  }
  return out;
}

}  // namespace

std::string metadata_document(const registry::ServingVersion& version) {
  const auto& versions = version.ready_versions;
  return json::serialize(json::object{
      {"name", version.identity.name},
      {"versions", json::array(versions.begin(), versions.end())},
      {"platform", version.platform},
      {"inputs", metadata_tensors(version.signature.inputs, version.config)},
      {"outputs", metadata_tensors(version.signature.outputs, version.config)},
  });
}

std::string config_document(const registry::ServingVersion& version) {
  const ModelConfig& config = version.config;
  json::object out{
      {"name", version.identity.name},
      {"platform", version.platform},
      {"backend", config.backend},
      {"version_policy", version_policy(config)},
      {"max_batch_size", config.max_batch_size},
      {"input", config_inputs(version)},
      {"output", config_outputs(version)},
      {"instance_group",
       {{{"kind", "KIND_CPU"}, {"count", std::max<std::size_t>(config.instances, 1)}}}},
      {"default_model_filename", config.default_filename},
  };
  if (config.batching.enabled) out.emplace("dynamic_batching", dynamic_batching(config.batching));
  out.emplace("parameters", parameters(config));
  out.emplace("model_warmup", warmup(config));
  out.emplace("model_transaction_policy", json::object{{"decoupled", false}});
  return json::serialize(out);
}

std::string index_document(const std::vector<registry::IndexEntry>& entries, bool ready_only) {
  json::array out;
  for (const registry::IndexEntry& entry : entries) {
    if (ready_only && entry.state != registry::VersionState::kReady) continue;
    json::object line{{"name", entry.name}};
    if (!entry.version.empty()) line.emplace("version", entry.version);
    line.emplace("state", registry::index_state(entry.state));
    line.emplace("reason", entry.reason);
    if (entry.memory_bytes != 0) line.emplace("memory_bytes", entry.memory_bytes);
    out.push_back(std::move(line));
  }
  return json::serialize(out);
}

}  // namespace cortex::frontend::oip
