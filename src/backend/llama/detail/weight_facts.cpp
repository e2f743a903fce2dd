// SPDX-License-Identifier: Apache-2.0
#include "backend/llama/detail/weight_facts.h"

#include <algorithm>

namespace cortex::backend {

WeightFacts weight_facts(const LlamaWeights& weights) {
  const LlamaFunctions& api = weights.api();
  WeightFacts out;
  out.architecture = weights.fact("general.architecture");
  const char* kind = api.llama_ftype_name(api.llama_model_ftype(weights.model()));
  if (kind != nullptr) out.quantization = quantization_name(kind);
  out.parameters = api.llama_model_n_params(weights.model());
  out.width = static_cast<std::size_t>(std::max(api.llama_model_n_embd(weights.model()), 0));
  return out;
}

std::string quantization_name(std::string_view library_name) {
  constexpr std::string_view kGuessed = "(guessed) ";  // by the types of the tensors
  std::string_view name = library_name;
  if (name.starts_with(kGuessed)) name.remove_prefix(kGuessed.size());
  if (name.starts_with("unknown")) return {};
  if (name == "all F32") return "F32";
  if (name.starts_with("IQ3_S mix")) return "IQ3_M";
  if (name == "MXFP4 MoE") return "MXFP4";
  const std::size_t dash = name.find(" - ");
  std::string out(name.substr(0, dash));
  if (dash == name.npos) return out;
  const std::string_view size = name.substr(dash + 3);
  if (size == "Small" || size == "Medium" || size == "Large") out.append("_").push_back(size[0]);
  // The file's name for the larger of its two sizes has no letter.
  return out == "Q2_K_M" ? "Q2_K" : out;
}

}  // namespace cortex::backend
