// SPDX-License-Identifier: Apache-2.0
#include "backend/generation/generation_servable.h"

#include <chrono>
#include <utility>

#include "backend/detail/beside_lane.h"
#include "backend/detail/lane_gate.h"
#include "backend/generation/detail/generation_run.h"
#include "backend/generation/detail/prompt_maker.h"
#include "base/check.h"

namespace cortex::backend {
namespace {

// Texts up to this many bytes are worked on where the request is submitted, longer ones on the
// pool.
constexpr std::size_t kInlineBytesMax = 4096;
// The pool works on long texts and grammars: they take milliseconds each.
constexpr std::chrono::milliseconds kTryAgainAfter{1000};

}  // namespace

struct GenerationServable::Inner {
  explicit Inner(GenerationParts parts)
      : cpu(*parts.cpu),
        backend(parts.backend),
        controls(parts.controls),
        prompts(
            parts.backend,
            std::move(parts.chat_template),
            std::move(parts.grammars),
            parts.reply_format
        ),
        context{prompts, gate},
        gate(std::move(parts.lane)) {}

  void tokenize(
      const std::shared_ptr<const Request>& request, std::shared_ptr<ResponseStream> stream
  );
  void detokenize(
      const std::shared_ptr<const Request>& request, std::shared_ptr<ResponseStream> stream
  );

  ThreadPool& cpu;
  const std::shared_ptr<SequenceBackend> backend;
  SequenceControls* const controls;  // the lane's
  PromptMaker prompts;
  const GenerationContext context;
  LaneGate gate;  // last: its end waits for all runs, which use the rest
};

Result<std::unique_ptr<GenerationServable>> GenerationServable::make(GenerationParts parts) {
  CHECK(parts.lane && parts.backend && parts.cpu != nullptr, "a language model needs its parts");
  if (parts.backend->model().context_length < 2) {
    return failed_precondition("a context of less than two tokens has no room for an answer");
  }
  auto inner = std::make_unique<Inner>(std::move(parts));
  return std::unique_ptr<GenerationServable>(new GenerationServable(std::move(inner)));
}

GenerationServable::GenerationServable(std::unique_ptr<Inner> inner) : inner_(std::move(inner)) {}

GenerationServable::~GenerationServable() = default;

// The call keeps the request: its work reads the input where it lies.
void GenerationServable::Inner::tokenize(
    const std::shared_ptr<const Request>& request, std::shared_ptr<ResponseStream> stream
) {
  const auto& input = std::get<TokenizeInput>(request->input);
  const std::size_t bytes = PromptMaker::work_bytes(input.prompt);
  BesideLane call{std::move(stream), bytes <= kInlineBytesMax, {}};
  call.work = [this, request, &input, bytes]() -> Result<ResponsePart> {
    CORTEX_RETURN_IF_ERROR(check_tokenize_bytes(bytes));
    CORTEX_ASSIGN_OR_RETURN(TokenizeOutput output, prompts.tokenize(input));
    return ResponsePart(std::move(output));
  };
  answer_beside_lane(gate, cpu, std::move(call));
}

void GenerationServable::Inner::detokenize(
    const std::shared_ptr<const Request>& request, std::shared_ptr<ResponseStream> stream
) {
  const auto& input = std::get<DetokenizeInput>(request->input);
  BesideLane call{std::move(stream), input.tokens.size() <= kDetokenizeInlineMax, {}};
  call.work = [this, request, &input]() -> Result<ResponsePart> {
    CORTEX_ASSIGN_OR_RETURN(DetokenizeOutput output, prompts.detokenize(input));
    return ResponsePart(std::move(output));
  };
  answer_beside_lane(gate, cpu, std::move(call));
}

void GenerationServable::submit(
    std::shared_ptr<const Request> request, std::shared_ptr<ResponseStream> stream
) {
  if (std::holds_alternative<TokenizeInput>(request->input)) {
    return inner_->tokenize(request, std::move(stream));
  }
  if (std::holds_alternative<DetokenizeInput>(request->input)) {
    return inner_->detokenize(request, std::move(stream));
  }
  const auto* input = std::get_if<GenerationInput>(&request->input);
  if (input == nullptr) {
    if (!inner_->gate.submit(request, stream)) stream->finish(unavailable("the model is ending"));
    return;
  }
  if (!inner_->gate.enter()) return stream->finish(unavailable("the model is ending"));
  const auto run = std::make_shared<GenerationRun>(inner_->context, request, std::move(stream));
  if (PromptMaker::work_bytes(input->prompt) <= kInlineBytesMax &&
      !ConstraintMaker::has_grammar(*input)) {
    return run->start();
  }
  if (!inner_->cpu.submit([run] { run->start(); })) {
    run->refuse(resource_exhausted("too many long texts are waiting to be prepared")
                    .with_retry_after(kTryAgainAfter));
  }
}

LanguageControls* GenerationServable::language() {
  return inner_->controls != nullptr ? this : nullptr;
}

Result<std::size_t> GenerationServable::load_adapter(
    const std::string& name, const std::filesystem::path& file
) {
  CORTEX_ASSIGN_OR_RETURN(auto adapter, inner_->backend->load_adapter(file));
  const std::size_t bytes = adapter->memory_bytes();
  inner_->controls->add_adapter(name, std::move(adapter));
  return bytes;
}

bool GenerationServable::unload_adapter(const std::string& name) {
  return inner_->controls->remove_adapter(name);
}

Status GenerationServable::create_prefix(const PrefixRequest& prefix) {
  SequencePrefix named;
  CORTEX_ASSIGN_OR_RETURN(named.tokens, inner_->prompts.prefix_tokens(prefix.prompt));
  named.name = prefix.name;
  named.workspace = prefix.workspace;
  named.tenant = prefix.tenant;
  named.adapter = prefix.adapter;
  named.adapter_scale = prefix.adapter_scale;
  named.cache_salt = prefix.cache_salt;
  return inner_->controls->create_prefix(std::move(named));
}

bool GenerationServable::remove_prefix(const std::string& name) {
  return inner_->controls->remove_prefix(name);
}

std::vector<PrefixState> GenerationServable::prefixes() const {
  return inner_->controls->prefixes();
}

}  // namespace cortex::backend
