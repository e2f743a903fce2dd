// SPDX-License-Identifier: Apache-2.0
#include "backend/llama/detail/llama_context.h"

#include <algorithm>
#include <exception>
#include <string>
#include <utility>

#include "backend/llama/detail/own_operations.h"

namespace cortex::backend {
namespace {

constexpr std::size_t kThreadsMax = 512;

}  // namespace

void LlamaBatch::clear() {
  tokens_.clear();
  positions_.clear();
  sequences_.clear();
  outputs_.clear();
}

void LlamaBatch::add(llama_token token, llama_pos position, llama_seq_id sequence, bool output) {
  tokens_.push_back(token);
  positions_.push_back(position);
  sequences_.push_back(sequence);
  outputs_.push_back(output ? 1 : 0);
}

llama_batch LlamaBatch::rows() {
  sequence_counts_.assign(tokens_.size(), 1);
  sequence_places_.resize(tokens_.size());
  for (std::size_t i = 0; i < tokens_.size(); ++i) sequence_places_[i] = &sequences_[i];
  llama_batch out{};
  out.n_tokens = static_cast<std::int32_t>(tokens_.size());
  out.token = tokens_.data();
  out.pos = positions_.data();
  out.n_seq_id = sequence_counts_.data();
  out.seq_id = sequence_places_.data();
  out.logits = outputs_.data();
  return out;
}

Result<std::unique_ptr<LlamaContext>> LlamaContext::make(
    std::shared_ptr<const LlamaWeights> weights,
    llama_context_params parameters,
    std::size_t threads,
    bool cell_attention
) {
  threads = std::clamp<std::size_t>(threads, 1, kThreadsMax);
  parameters.n_threads = static_cast<std::int32_t>(threads);
  parameters.n_threads_batch = parameters.n_threads;
  parameters.no_perf = true;
  const LlamaErrors errors;
  const OwnOperationsScope scope(cell_attention);
  llama_context* context = nullptr;
  std::string why;
  try {
    context = weights->api().llama_init_from_model(weights->model(), parameters);
    why = errors.first();
  } catch (const std::exception& error) {
    why = error.what();
  }
  if (context == nullptr) return resource_exhausted("no context for it: " + why);
  std::unique_ptr<LlamaContext> out(new LlamaContext(std::move(weights), context));
  out->attach_threads(threads);
  return out;
}

LlamaContext::LlamaContext(std::shared_ptr<const LlamaWeights> weights, llama_context* context)
    : weights_(std::move(weights)),
      api_(weights_->api()),
      context_(context),
      memory_(api_.llama_get_memory(context)) {}

LlamaContext::~LlamaContext() {
  if (threads_ != nullptr) api_.llama_detach_threadpool(context_);
  api_.llama_free(context_);
  if (threads_ != nullptr) api_.threadpool_free(threads_);
}

// Without a pool the library would start threads for every step. Ours do not spin while they wait:
// the cores are other models', too.
void LlamaContext::attach_threads(std::size_t threads) {
  if (threads < 2 || api_.threadpool_new == nullptr || api_.threadpool_free == nullptr) return;
  ggml_threadpool_params parameters{};
  api_.ggml_threadpool_params_init(&parameters, static_cast<int>(threads));
  parameters.poll = 0;
  threads_ = api_.threadpool_new(&parameters);
  if (threads_ != nullptr) api_.llama_attach_threadpool(context_, threads_, threads_);
}

Status LlamaContext::decode(LlamaBatch& batch) {
  return call(api_.llama_decode, "llama_decode", batch);
}

Status LlamaContext::encode(LlamaBatch& batch) {
  return call(api_.llama_encode, "llama_encode", batch);
}

Status LlamaContext::call(decltype(&::llama_decode) function, const char* name, LlamaBatch& batch) {
  const LlamaErrors errors;
  std::int32_t code = 0;
  std::string thrown;
  try {
    code = function(context_, batch.rows());
  } catch (const std::exception& error) {
    code = -100;
    thrown = error.what();
  }
  if (code == 0) return {};
  if (code == 1) return resource_exhausted("the model's memory has no room for the step");
  if (code == 2) return cancelled("the step was ended");
  return internal(
      std::string(name) + " returned " + std::to_string(code) + ": " +
      (thrown.empty() ? errors.first() : thrown)
  );
}

}  // namespace cortex::backend
