// SPDX-License-Identifier: Apache-2.0
#include "backend/embedding/detail/embedding_plan.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string_view>
#include <utility>

#include "request/buffer.h"

namespace cortex::backend {
namespace {

// What most text encoders were trained with; a model of another length says so in its
// configuration.
constexpr std::size_t kDefaultContextLength = 512;

std::optional<TokenInput> kind_of(std::string_view name) {
  constexpr std::array<std::pair<std::string_view, TokenInput>, 4> kNames = {{
      {"input_ids", TokenInput::kIds},
      {"attention_mask", TokenInput::kMask},
      {"token_type_ids", TokenInput::kTypes},
      {"position_ids", TokenInput::kPositions},
  }};
  for (const auto& [known, kind] : kNames) {
    if (known == name) return kind;
  }
  return std::nullopt;
}

Status cannot(const ModelConfig& config, std::string_view why) {
  return failed_precondition("model '" + config.name + "' takes no text: " + std::string(why));
}

Status add_input(const ModelConfig& config, const TensorSpec& spec, EmbeddingPlan& plan) {
  const auto kind = kind_of(spec.name);
  if (!kind && spec.optional) return {};
  if (!kind) return cannot(config, "a tokenizer cannot fill its input '" + spec.name + "'");
  if (spec.datatype != DataType::kInt64 && spec.datatype != DataType::kInt32) {
    return cannot(config, "its input '" + spec.name + "' is neither INT64 nor INT32");
  }
  if (spec.shape.size() != 2 || spec.shape[0] > 1) {
    return cannot(config, "its input '" + spec.name + "' is not [batch, length]");
  }
  if (spec.shape[1] > 0) plan.fixed_length = static_cast<std::size_t>(spec.shape[1]);
  plan.inputs.push_back({spec.name, *kind, spec.datatype});
  return {};
}

bool is_output(const TensorSpec& spec, std::size_t rank) {
  return spec.shape.size() == rank &&
         (spec.datatype == DataType::kFp32 || spec.datatype == DataType::kFp16);
}

// The first of the well-known names, else the first output of that rank.
const TensorSpec* choose_output(
    const ModelSignature& signature, std::size_t rank, std::initializer_list<const char*> names
) {
  for (const char* name : names) {
    const TensorSpec* spec = find_spec(signature.outputs, name);
    if (spec != nullptr && is_output(*spec, rank)) return spec;
  }
  const auto at =
      std::find_if(signature.outputs.begin(), signature.outputs.end(), [&](const TensorSpec& spec) {
        return is_output(spec, rank);
      });
  return at == signature.outputs.end() ? nullptr : &*at;
}

const TensorSpec* choose_states(const ModelSignature& signature) {
  return choose_output(signature, 3, {"last_hidden_state", "token_embeddings"});
}

bool is_score(const TensorSpec& spec) {
  return is_output(spec, 2) && (spec.shape[1] == 1 || spec.shape[1] < 0);
}

Status add_output(const ModelConfig& config, const ModelSignature& signature, EmbeddingPlan& plan) {
  const bool ranks = plan.pooling == Pooling::kRank;
  plan.pooled = ranks || plan.pooling == Pooling::kNone;
  const TensorSpec* output = ranks         ? choose_output(signature, 2, {"logits"})
                             : plan.pooled ? choose_output(signature, 2, {"sentence_embedding"})
                                           : choose_states(signature);
  if (ranks && (output == nullptr || !is_score(*output))) {
    return cannot(config, "pooling rank needs an output FP32 [batch, 1], one number for a pair");
  }
  if (output == nullptr && plan.pooled) {
    return cannot(config, "pooling none needs an output FP32 [batch, width]");
  }
  if (output == nullptr) {
    return cannot(
        config,
        "pooling needs an output FP32 [batch, length, width]; a model that pools by itself wants "
        "`pooling: none`"
    );
  }
  plan.output = output->name;
  return {};
}

// Value of one kind at place `i`; behind the text stands padding.
std::int64_t value_at(TokenInput kind, const text::Encoding& encoding, std::size_t i) {
  if (kind == TokenInput::kPositions) return static_cast<std::int64_t>(i);
  if (i >= encoding.ids.size()) return 0;
  if (kind == TokenInput::kIds) return encoding.ids[i];
  if (kind == TokenInput::kMask) return 1;
  return i < encoding.type_ids.size() ? encoding.type_ids[i] : 0;
}

template <typename T>
void fill(std::byte* to, TokenInput kind, const text::Encoding& encoding, std::size_t length) {
  T* const out = reinterpret_cast<T*>(to);
  for (std::size_t i = 0; i < length; ++i) out[i] = static_cast<T>(value_at(kind, encoding, i));
}

constexpr std::size_t align_up(std::size_t size) {
  return (size + Buffer::kAlignment - 1) / Buffer::kAlignment * Buffer::kAlignment;
}

}  // namespace

Pooling pooling_of(const ModelConfig& config, const ModelSignature& signature) {
  if (config.text.pooling) return *config.text.pooling;
  if (choose_states(signature) != nullptr) return Pooling::kMean;
  const TensorSpec* logits = find_spec(signature.outputs, "logits");
  if (logits != nullptr && is_score(*logits)) return Pooling::kRank;
  const TensorSpec* pooled = find_spec(signature.outputs, "sentence_embedding");
  return pooled != nullptr && is_output(*pooled, 2) ? Pooling::kNone : Pooling::kMean;
}

Result<EmbeddingPlan> embedding_plan(const ModelConfig& config, const ModelSignature& signature) {
  EmbeddingPlan plan;
  for (const TensorSpec& spec : signature.inputs) {
    CORTEX_RETURN_IF_ERROR(add_input(config, spec, plan));
  }
  const bool has_ids = std::any_of(plan.inputs.begin(), plan.inputs.end(), [](const auto& input) {
    return input.kind == TokenInput::kIds;
  });
  if (!has_ids) return cannot(config, "it has no input 'input_ids'");
  plan.pooling = pooling_of(config, signature);
  CORTEX_RETURN_IF_ERROR(add_output(config, signature, plan));
  plan.normalize = config.text.normalize;
  plan.context_length = config.text.context_length;
  if (plan.context_length == 0) {
    plan.context_length = plan.fixed_length > 0 ? plan.fixed_length : kDefaultContextLength;
  }
  if (plan.fixed_length > 0) plan.context_length = std::min(plan.context_length, plan.fixed_length);
  return plan;
}

std::vector<Tensor> token_tensors(const EmbeddingPlan& plan, const text::Encoding& encoding) {
  const std::size_t length = plan.fixed_length > 0 ? plan.fixed_length : encoding.ids.size();
  const std::size_t room = align_up(length * sizeof(std::int64_t));
  auto buffer = Buffer::make(room * plan.inputs.size());
  std::vector<Tensor> out(plan.inputs.size());
  for (std::size_t i = 0; i < out.size(); ++i) {
    const auto& [name, kind, datatype] = plan.inputs[i];
    std::byte* const to = buffer->data() + i * room;
    if (datatype == DataType::kInt64) fill<std::int64_t>(to, kind, encoding, length);
    if (datatype == DataType::kInt32) fill<std::int32_t>(to, kind, encoding, length);
    out[i].name = name;
    out[i].datatype = datatype;
    out[i].shape = {1, static_cast<std::int64_t>(length)};
    out[i].bytes = {to, length * element_size(datatype)};
    out[i].owner = buffer;
  }
  return out;
}

}  // namespace cortex::backend
