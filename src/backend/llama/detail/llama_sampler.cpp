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

// What may be drawn, with logits that may be changed.
struct Candidates {
  std::vector<float> logits;
  std::vector<Token> tokens;  // in order; empty: all
};

// One for each thread that samples: a vocabulary's worth of candidates for each sequence would be
// more than the sequences' own memory.
Candidates& scratch() {
  thread_local Candidates out;
  return out;
}

// 32 tokens. Within a text nearly all are allowed, elsewhere nearly none.
void list_word(
    std::span<const float> logits, std::size_t first, std::uint32_t bits, Candidates& out
) {
  if (bits == ~0U && first + 32 <= logits.size()) {
    const auto some = logits.subspan(first, 32);
    out.logits.insert(out.logits.end(), some.begin(), some.end());
    for (std::size_t i = 0; i < 32; ++i) out.tokens.push_back(static_cast<Token>(first + i));
    return;
  }
  for (; bits != 0; bits &= bits - 1) {
    const std::size_t index = first + static_cast<std::size_t>(std::countr_zero(bits));
    if (index >= logits.size()) return;
    out.logits.push_back(logits[index]);
    out.tokens.push_back(static_cast<Token>(index));
  }
}

void list_candidates(
    std::span<const float> logits, std::span<const std::uint32_t> mask, Candidates& out
) {
  out.logits.clear();
  out.tokens.clear();
  if (mask.empty()) out.logits.assign(logits.begin(), logits.end());
  for (std::size_t word = 0; word < mask.size(); ++word) {
    list_word(logits, word * 32, mask[word], out);
  }
}

float* logit_of(Candidates& candidates, Token token) {
  auto place = static_cast<std::size_t>(token);
  if (!candidates.tokens.empty()) {
    const auto found = std::ranges::lower_bound(candidates.tokens, token);
    if (found == candidates.tokens.end() || *found != token) return nullptr;
    place = static_cast<std::size_t>(found - candidates.tokens.begin());
  }
  return token >= 0 && place < candidates.logits.size() ? &candidates.logits[place] : nullptr;
}

Status nothing_allowed() { return failed_precondition("no token is allowed here"); }

}  // namespace

LlamaSampler::LlamaSampler(
    std::shared_ptr<const SamplerContext> context,
    const SamplingSettings& settings,
    std::uint64_t sequence_seed,
    std::shared_ptr<const std::vector<bool>> breakers,
    Repetition::Piece piece
)
    : context_(std::move(context)),
      bias_(context_->bias),
      repetition_(settings, context_->context_length, std::move(breakers), std::move(piece)) {
  bias_.insert(bias_.end(), settings.logit_bias.begin(), settings.logit_bias.end());
  if (settings.temperature <= 0) return;
  const std::uint32_t seed = short_seed(sequence_seed);
  if (TokenDraw::can(settings)) {
    draw_.emplace(settings, seed);
  } else {
    build_chain(settings, seed);
  }
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
  const bool changes = !bias_.empty() || repetition_.active();
  if (greedy() && !changes) {
    const auto token = largest(logits, options.allowed);
    if (!token) return nothing_allowed();
    return *token;
  }
  if (!changes && options.allowed.empty()) {
    CORTEX_ASSIGN_OR_RETURN(const std::size_t place, pick(logits));
    return static_cast<Token>(place);
  }
  Candidates& candidates = scratch();
  list_candidates(logits, options.allowed, candidates);
  const auto logit_at = [&](Token token) { return logit_of(candidates, token); };
  for (const auto& [token, bias] : bias_) {
    float* logit = logit_at(token);
    if (logit != nullptr) *logit = bias <= kBiasThatForbids ? kForbidden : *logit + bias;
  }
  if (repetition_.active()) repetition_.apply(logit_at);
  CORTEX_ASSIGN_OR_RETURN(const std::size_t place, pick(candidates.logits));
  return candidates.tokens.empty() ? static_cast<Token>(place) : candidates.tokens[place];
}

Result<std::size_t> LlamaSampler::pick(std::span<const float> logits) {
  const float most = largest_logit(logits);
  if (most == kForbidden) return nothing_allowed();
  if (draw_) return draw_->draw(logits, most);
  if (chain_ != nullptr) return pick_by_chain(logits);
  return static_cast<std::size_t>(std::ranges::find(logits, most) - logits.begin());
}

// Of a candidate the library is told the place instead of the token: it asks for neither.
Result<std::size_t> LlamaSampler::pick_by_chain(std::span<const float> logits) {
  thread_local std::vector<llama_token_data> data;
  data.clear();
  for (const float logit : logits) {
    data.push_back({static_cast<llama_token>(data.size()), logit, 0});
  }
  llama_token_data_array array{data.data(), data.size(), -1, false};
  context_->api.llama_sampler_apply(chain_, &array);
  if (array.selected < 0 || static_cast<std::size_t>(array.selected) >= array.size) {
    return internal("the sampler chose nothing");
  }
  return static_cast<std::size_t>(array.data[array.selected].id);
}

}  // namespace cortex::backend
