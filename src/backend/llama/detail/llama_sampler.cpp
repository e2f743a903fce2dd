// SPDX-License-Identifier: Apache-2.0
#include "backend/llama/detail/llama_sampler.h"

#include <algorithm>
#include <bit>
#include <limits>

#include "backend/llama/detail/token_choice.h"
#include "base/check.h"

namespace cortex::backend {
namespace {

constexpr float kForbidden = -std::numeric_limits<float>::infinity();
constexpr float kBiasThatForbids = -100;
constexpr std::size_t kKeepAtLeast = 1;
constexpr std::int32_t kMirostatTokens = 100;

// All 64 bits count, and the one seed that the library takes for "any" never comes out.
std::uint32_t short_seed(std::uint64_t seed) {
  seed = (seed ^ (seed >> 30)) * 0xbf58476d1ce4e5b9;
  seed = (seed ^ (seed >> 27)) * 0x94d049bb133111eb;
  const auto out = static_cast<std::uint32_t>((seed ^ (seed >> 31)) >> 32);
  return out == LLAMA_DEFAULT_SEED ? 0 : out;
}

using Candidates = std::vector<llama_token_data>;

// One for each thread that samples: a vocabulary's worth of candidates for each sequence would be
// more than the sequences' own memory.
Candidates& scratch() {
  thread_local Candidates out;
  return out;
}

void list_candidates(
    std::span<const float> logits, std::span<const std::uint32_t> mask, Candidates& out
) {
  out.clear();
  if (mask.empty()) {
    out.resize(logits.size());
    for (std::size_t i = 0; i < logits.size(); ++i) {
      out[i] = {static_cast<Token>(i), logits[i], 0};
    }
    return;
  }
  for (std::size_t word = 0; word < mask.size(); ++word) {
    for (std::uint32_t bits = mask[word]; bits != 0; bits &= bits - 1) {
      const std::size_t index = word * 32 + static_cast<std::size_t>(std::countr_zero(bits));
      if (index < logits.size()) out.push_back({static_cast<Token>(index), logits[index], 0});
    }
  }
}

// Candidates come in the order of their tokens, all of them or some.
float* logit_of(Candidates& candidates, std::size_t vocabulary, Token token) {
  const auto index = static_cast<std::size_t>(token);
  if (token < 0 || index >= vocabulary) return nullptr;
  if (candidates.size() == vocabulary) return &candidates[index].logit;
  const auto found = std::ranges::lower_bound(candidates, token, {}, &llama_token_data::id);
  return found != candidates.end() && found->id == token ? &found->logit : nullptr;
}

Status nothing_allowed() { return failed_precondition("no token is allowed here"); }

}  // namespace

LlamaSampler::LlamaSampler(
    std::shared_ptr<const SamplerContext> context,
    const SamplingSettings& settings,
    std::uint64_t sequence_seed,
    std::shared_ptr<const std::vector<bool>> breakers
)
    : context_(std::move(context)),
      bias_(context_->bias),
      repetition_(settings, context_->context_length, std::move(breakers)) {
  bias_.insert(bias_.end(), settings.logit_bias.begin(), settings.logit_bias.end());
  if (settings.temperature > 0) build_chain(settings, short_seed(sequence_seed));
}

LlamaSampler::~LlamaSampler() {
  if (chain_ != nullptr) context_->api.llama_sampler_free(chain_);
}

void LlamaSampler::build_chain(const SamplingSettings& settings, std::uint32_t seed) {
  const LlamaFunctions& api = context_->api;
  auto parameters = api.llama_sampler_chain_default_params();
  parameters.no_perf = true;
  chain_ = api.llama_sampler_chain_init(parameters);
  const auto add = [&](llama_sampler* one) { api.llama_sampler_chain_add(chain_, one); };
  const float temperature = settings.temperature;
  if (settings.mirostat != 0) {
    if (temperature != 1) add(api.llama_sampler_init_temp(temperature));
    const auto tokens = static_cast<std::int32_t>(context_->vocabulary_size);
    const float tau = settings.mirostat_tau;
    const float eta = settings.mirostat_eta;
    return add(
        settings.mirostat == 1
            ? api.llama_sampler_init_mirostat(tokens, seed, tau, eta, kMirostatTokens)
            : api.llama_sampler_init_mirostat_v2(seed, tau, eta)
    );
  }
  if (settings.top_k > 0) add(api.llama_sampler_init_top_k(settings.top_k));
  if (settings.typical_p < 1) add(api.llama_sampler_init_typical(settings.typical_p, kKeepAtLeast));
  if (settings.top_p < 1) add(api.llama_sampler_init_top_p(settings.top_p, kKeepAtLeast));
  if (settings.min_p > 0) add(api.llama_sampler_init_min_p(settings.min_p, kKeepAtLeast));
  if (settings.xtc_probability > 0) {
    add(api.llama_sampler_init_xtc(
        settings.xtc_probability, settings.xtc_threshold, kKeepAtLeast, seed
    ));
  }
  if (temperature != 1) add(api.llama_sampler_init_temp(temperature));
  add(api.llama_sampler_init_dist(seed));
}

Result<SampledToken> LlamaSampler::sample(
    std::span<const float> logits, const SampleOptions& options
) {
  CHECK(logits.size() == context_->vocabulary_size, "one logit for each token");
  // The library sorts by them, and what has no order is sorted beyond its ends.
  if (has_none(logits)) {
    return failed_precondition("what was computed are no numbers (NaN): broken weights");
  }
  CORTEX_ASSIGN_OR_RETURN(const Token token, choose(logits, options));
  SampledToken out;
  out.token = token;
  if (!options.top_logprobs) return out;
  const float log_sum = log_sum_exp(logits);
  out.logprob = logits[static_cast<std::size_t>(token)] - log_sum;
  out.top = most_likely(logits, log_sum, *options.top_logprobs);
  return out;
}

Result<Token> LlamaSampler::choose(std::span<const float> logits, const SampleOptions& options) {
  if (greedy() && bias_.empty() && !repetition_.active()) {
    const auto token = largest(logits, options.allowed);
    if (!token) return nothing_allowed();
    return *token;
  }
  Candidates& candidates = scratch();
  list_candidates(logits, options.allowed, candidates);
  const auto place = [&](Token token) { return logit_of(candidates, logits.size(), token); };
  for (const auto& [token, bias] : bias_) {
    float* logit = place(token);
    if (logit != nullptr) *logit = bias <= kBiasThatForbids ? kForbidden : *logit + bias;
  }
  if (repetition_.active()) repetition_.apply(place);
  const auto best = std::ranges::max_element(candidates, {}, &llama_token_data::logit);
  if (best == candidates.end() || best->logit == kForbidden) return nothing_allowed();
  if (greedy()) return best->id;
  llama_token_data_array array{candidates.data(), candidates.size(), -1, false};
  context_->api.llama_sampler_apply(chain_, &array);
  if (array.selected < 0 || static_cast<std::size_t>(array.selected) >= array.size) {
    return internal("the sampler chose nothing");
  }
  return array.data[array.selected].id;
}

}  // namespace cortex::backend
