// SPDX-License-Identifier: Apache-2.0
#include "registry/complete_config.h"

#include <algorithm>

namespace cortex::registry {
namespace {

using Specs = std::vector<TensorSpec>;

bool first_dimension_varies(const TensorSpec& spec) {
  return !spec.shape.empty() && spec.shape.front() == -1;
}

// One varying dimension alone may as well be a length: only an owner can say that it is the batch.
bool may_batch(const ModelSignature& signature) {
  return !signature.inputs.empty() &&
         std::all_of(
             signature.inputs.begin(),
             signature.inputs.end(),
             [](const TensorSpec& spec) {
               return first_dimension_varies(spec) && spec.shape.size() >= 2;
             }
         ) &&
         std::all_of(signature.outputs.begin(), signature.outputs.end(), first_dimension_varies);
}

std::string names_of(const Specs& specs) {
  std::string out;
  for (const TensorSpec& spec : specs) out.append(out.empty() ? "" : ", ").append(spec.name);
  return out;
}

// Checks one side of a configuration, "input" or "output", against the model's.
class Comparison {
 public:
  Comparison(const ModelConfig& config, std::string_view kind) : config_(config), kind_(kind) {}

  Status check_batch_dimension(const Specs& model) const {
    if (config_.max_batch_size == 0) return {};
    for (const TensorSpec& spec : model) {
      if (!first_dimension_varies(spec)) {
        return fault(
            spec.name,
            "for the model to support batching the shape should have at least 1 dimension and the "
            "first dimension must be -1; but shape expected by the model is " +
                shape_text(spec.shape)
        );
      }
    }
    return {};
  }

  Status check_declared(const Specs& declared, const Specs& model) const {
    for (std::size_t i = 0; i < declared.size(); ++i) {
      const TensorSpec& spec = declared[i];
      const bool twice = std::any_of(
          declared.begin(),
          declared.begin() + static_cast<std::ptrdiff_t>(i),
          [&](const TensorSpec& other) { return other.name == spec.name; }
      );
      if (twice) return fault(spec.name, "is declared twice");
      const TensorSpec* loaded = find_spec(model, spec.name);
      if (loaded == nullptr) {
        return invalid_argument(
            "unexpected inference " + std::string(kind_) + " '" + spec.name + "', allowed " +
            std::string(kind_) + "s are: " + names_of(model)
        );
      }
      CORTEX_RETURN_IF_ERROR(check_datatype(spec, *loaded));
      CORTEX_RETURN_IF_ERROR(check_dimensions(spec, *loaded));
    }
    return {};
  }

 private:
  Status check_datatype(const TensorSpec& declared, const TensorSpec& loaded) const {
    if (declared.datatype == loaded.datatype) return {};
    return fault(
        declared.name,
        "the model expects datatype " + std::string(datatype_name(loaded.datatype)) +
            " but the model configuration specifies " +
            std::string(datatype_name(declared.datatype))
    );
  }

  Status check_dimensions(const TensorSpec& declared, const TensorSpec& loaded) const {
    Shape whole = declared.shape;
    if (config_.max_batch_size > 0) whole.insert(whole.begin(), -1);
    const bool fits = std::equal(
        whole.begin(),
        whole.end(),
        loaded.shape.begin(),
        loaded.shape.end(),
        [](auto mine, auto models) { return models == -1 || mine == models; }
    );
    if (fits) return {};
    std::string text = "the model expects " + std::to_string(loaded.shape.size()) +
                       " dimensions (shape " + shape_text(loaded.shape) +
                       ") but the model configuration specifies " + std::to_string(whole.size()) +
                       " dimensions (";
    if (config_.max_batch_size > 0) {
      text.append(
          "an initial batch dimension because max_batch_size > 0 followed by the explicit "
          "tensor shape, making complete "
      );
    }
    return fault(declared.name, text + "shape " + shape_text(whole) + ")");
  }

  Status fault(const std::string& tensor, const std::string& text) const {
    return invalid_argument("model '" + config_.name + "', tensor '" + tensor + "': " + text);
  }

  const ModelConfig& config_;
  std::string_view kind_;
};

Specs without_batch_dimension(Specs specs, bool batched) {
  for (TensorSpec& spec : specs) {
    if (batched) spec.shape.erase(spec.shape.begin());
  }
  return specs;
}

Status check_inputs_complete(const ModelConfig& config, const ModelSignature& signature) {
  for (const TensorSpec& input : signature.inputs) {
    if (!config.inputs.empty() && !input.optional &&
        find_spec(config.inputs, input.name) == nullptr) {
      return invalid_argument(
          "model '" + config.name + "': the configuration declares " +
          std::to_string(config.inputs.size()) + " inputs, the model has " +
          std::to_string(signature.inputs.size()) + ": '" + input.name + "' is missing"
      );
    }
  }
  return {};
}

Status check_warmup(const ModelConfig& config, const ModelSignature& signature) {
  for (const WarmupSample& sample : config.warmup) {
    for (const TensorSpec& input : sample.inputs) {
      if (find_spec(signature.inputs, input.name) == nullptr) {
        return invalid_argument(
            "warm-up '" + sample.name + "': the model has no input '" + input.name + "'"
        );
      }
    }
    if (sample.batch_size > std::max<std::size_t>(1, config.max_batch_size)) {
      return invalid_argument("warm-up '" + sample.name + "': batch_size is above max_batch_size");
    }
  }
  return {};
}

bool lengths_vary(const ModelSignature& signature) {
  return std::all_of(signature.inputs.begin(), signature.inputs.end(), [](const TensorSpec& spec) {
    return spec.shape.size() == 2 && spec.shape[1] == -1;
  });
}

void settle_batching(ModelConfig& config, const ModelSignature& signature) {
  BatchingConfig& batching = config.batching;
  if (config.open.pad_lengths) {
    batching.pad_lengths =
        config.max_batch_size > 1 && !config.text.tokenizer.empty() && lengths_vary(signature);
  }
  const bool neighbours_matter = signature.batch_changes_answers && !batching.allow_variance;
  if (config.max_batch_size == 0 || neighbours_matter) batching.enabled = false;
  if (neighbours_matter) batching.pad_lengths = false;
  config.open = {};
}

Status check_batching(const ModelConfig& config) {
  for (const std::size_t size : config.batching.preferred_sizes) {
    if (size > config.max_batch_size) {
      return invalid_argument(
          "model '" + config.name + "': dynamic batching preferred size must be <= max batch size"
      );
    }
  }
  if (config.batching.pad_lengths && config.max_batch_size == 0) {
    return invalid_argument("model '" + config.name + "': pad_lengths needs a max_batch_size");
  }
  return {};
}

// Its lane batches tokens, not rows, and its tokenizer is its own.
Result<ModelConfig> complete_generation(ModelConfig config) {
  const std::string model = "model '" + config.name + "': ";
  if (!config.inputs.empty() || !config.outputs.empty() || !config.warmup.empty()) {
    return invalid_argument(model + "a language model has no tensors to declare");
  }
  if (!config.open.batch_size && config.max_batch_size > 0) {
    return invalid_argument(model + "a language model has no max_batch_size: see generation");
  }
  if (config.instances > 1) {
    return invalid_argument(
        model + "a language model has one instance: its requests share one memory"
    );
  }
  const std::size_t asked = config.text.context_length;  // the key of models of either kind
  std::size_t& length = config.generation.context_length;
  if (asked != 0 && length != 0 && asked != length) {
    return invalid_argument(model + "context_length and generation.context_length differ");
  }
  if (asked != 0) length = asked;
  config.max_batch_size = 0;
  config.batching.enabled = false;
  config.text = {};
  config.open = {};
  return config;
}

}  // namespace

bool derives_batching(const ModelConfig& config, const ModelSignature& signature) {
  return config.open.batch_size && !signature.generates && may_batch(signature);
}

Result<ModelConfig> complete_config(ModelConfig config, const ModelSignature& signature) {
  if (signature.generates) return complete_generation(std::move(config));
  if (config.open.batch_size) {
    config.max_batch_size = derives_batching(config, signature) ? kDerivedBatchSize : 0;
    config.batching.enabled = config.max_batch_size > 0;
  }
  CORTEX_RETURN_IF_ERROR(check_batching(config));
  const Comparison inputs(config, "input");
  CORTEX_RETURN_IF_ERROR(inputs.check_batch_dimension(signature.inputs));
  CORTEX_RETURN_IF_ERROR(inputs.check_declared(config.inputs, signature.inputs));
  CORTEX_RETURN_IF_ERROR(check_inputs_complete(config, signature));
  const Comparison outputs(config, "output");
  CORTEX_RETURN_IF_ERROR(outputs.check_batch_dimension(signature.outputs));
  CORTEX_RETURN_IF_ERROR(outputs.check_declared(config.outputs, signature.outputs));
  CORTEX_RETURN_IF_ERROR(check_warmup(config, signature));
  const bool batched = config.max_batch_size > 0;
  if (config.inputs.empty()) config.inputs = without_batch_dimension(signature.inputs, batched);
  if (config.outputs.empty()) config.outputs = without_batch_dimension(signature.outputs, batched);
  settle_batching(config, signature);
  return config;
}

}  // namespace cortex::registry
