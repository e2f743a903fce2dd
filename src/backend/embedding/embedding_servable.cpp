// SPDX-License-Identifier: Apache-2.0
#include "backend/embedding/embedding_servable.h"

#include <chrono>
#include <optional>
#include <utility>

#include "backend/detail/beside_lane.h"
#include "backend/detail/lane_gate.h"
#include "backend/embedding/detail/embedding_plan.h"
#include "backend/embedding/detail/embedding_run.h"
#include "backend/embedding/detail/token_text.h"
#include "base/check.h"

namespace cortex::backend {
namespace {

// The pool is tokenising long texts: they take milliseconds each.
constexpr std::chrono::milliseconds kRetryAfter{1000};

std::size_t bytes_of(const std::vector<std::string>& texts) {
  std::size_t sum = 0;
  for (const std::string& text : texts) sum += text.size();
  return sum;
}

// Of the texts that a row is made of; nothing where the request is not one of texts.
std::optional<std::size_t> text_bytes(const Request& request) {
  if (const auto* input = std::get_if<EmbeddingInput>(&request.input)) {
    return bytes_of(input->texts);
  }
  const auto* input = std::get_if<RerankInput>(&request.input);
  if (input == nullptr) return std::nullopt;
  // The query is read once more with each document where the model compares pairs.
  return bytes_of(input->documents) + input->query.size() * (1 + input->documents.size());
}

}  // namespace

struct EmbeddingServable::Inner {
  Inner(EmbeddingParts parts, EmbeddingPlan plan, const EmbeddingOptions& o)
      : tokenizer(std::move(parts.tokenizer)),
        cpu(*parts.cpu),
        options(o),
        context{*tokenizer, std::move(plan), options, gate},
        gate(std::move(parts.lane)) {}

  void tokenize(
      const std::shared_ptr<const Request>& request, std::shared_ptr<ResponseStream> stream
  );
  void detokenize(
      const std::shared_ptr<const Request>& request, std::shared_ptr<ResponseStream> stream
  );

  std::shared_ptr<const text::Tokenizer> tokenizer;
  ThreadPool& cpu;
  const EmbeddingOptions options;
  const EmbeddingContext context;
  LaneGate gate;  // last: its end waits for all runs, which use the rest
};

Result<std::unique_ptr<EmbeddingServable>> EmbeddingServable::make(
    EmbeddingParts parts, const EmbeddingOptions& options
) {
  CHECK(
      parts.lane && parts.tokenizer && parts.cpu != nullptr, "an embedding model needs its parts"
  );
  CHECK(options.rows_in_flight_max > 0, "a window of no rows never moves");
  CORTEX_ASSIGN_OR_RETURN(EmbeddingPlan plan, embedding_plan(parts.config, parts.signature));
  auto inner = std::make_unique<Inner>(std::move(parts), std::move(plan), options);
  return std::unique_ptr<EmbeddingServable>(new EmbeddingServable(std::move(inner)));
}

EmbeddingServable::EmbeddingServable(std::unique_ptr<Inner> inner) : inner_(std::move(inner)) {}

EmbeddingServable::~EmbeddingServable() = default;

void EmbeddingServable::Inner::tokenize(
    const std::shared_ptr<const Request>& request, std::shared_ptr<ResponseStream> stream
) {
  const auto& input = std::get<TokenizeInput>(request->input);
  const auto* prompt = std::get_if<Prompt>(&input.prompt);
  const std::size_t bytes = prompt == nullptr ? 0 : prompt->text.size();
  BesideLane call{std::move(stream), bytes <= options.inline_bytes_max, {}};
  call.work = [this, request, &input]() -> Result<ResponsePart> {
    CORTEX_ASSIGN_OR_RETURN(TokenizeOutput output, tokenize_text(*tokenizer, input));
    output.context_length = context.plan.context_length;
    return ResponsePart(std::move(output));
  };
  answer_beside_lane(gate, cpu, std::move(call));
}

void EmbeddingServable::Inner::detokenize(
    const std::shared_ptr<const Request>& request, std::shared_ptr<ResponseStream> stream
) {
  const auto& input = std::get<DetokenizeInput>(request->input);
  BesideLane call{std::move(stream), input.tokens.size() <= kDetokenizeInlineMax, {}};
  call.work = [this, request, &input]() -> Result<ResponsePart> {
    CORTEX_ASSIGN_OR_RETURN(DetokenizeOutput output, text_of_tokens(*tokenizer, input));
    return ResponsePart(std::move(output));
  };
  answer_beside_lane(gate, cpu, std::move(call));
}

void EmbeddingServable::submit(
    std::shared_ptr<const Request> request, std::shared_ptr<ResponseStream> stream
) {
  if (std::holds_alternative<TokenizeInput>(request->input)) {
    return inner_->tokenize(request, std::move(stream));
  }
  if (std::holds_alternative<DetokenizeInput>(request->input)) {
    return inner_->detokenize(request, std::move(stream));
  }
  const auto bytes = text_bytes(*request);
  if (!bytes) {
    if (!inner_->gate.submit(request, stream)) stream->finish(unavailable("the model is ending"));
    return;
  }
  if (!inner_->gate.enter()) return stream->finish(unavailable("the model is ending"));
  const auto run = std::make_shared<EmbeddingRun>(inner_->context, request, std::move(stream));
  if (*bytes <= inner_->options.inline_bytes_max) {
    return run->start();
  }
  if (!inner_->cpu.submit([run] { run->start(); })) {
    run->refuse(resource_exhausted("too many long texts are waiting to be tokenised")
                    .with_retry_after(kRetryAfter));
  }
}

}  // namespace cortex::backend
