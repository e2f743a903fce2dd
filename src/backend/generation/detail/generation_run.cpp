// SPDX-License-Identifier: Apache-2.0
#include "backend/generation/detail/generation_run.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "base/clock.h"
#include "request/adapter_choice.h"

namespace cortex::backend {
namespace {

// Tokens that are joined for a slow reader before the lane waits for him.
constexpr std::size_t kUnsentTokensMax = 256;
constexpr std::size_t kLanePartsMin = 8;

bool says_something(const GenerationOutput& output) {
  return !output.text.empty() || !output.reasoning.empty() || !output.tool_calls.empty() ||
         !output.tokens.empty() || output.finish != FinishReason::kNone;
}

GenerationOutput nothing_of(std::size_t sequence) {
  GenerationOutput out;
  out.sequence = static_cast<std::uint32_t>(sequence);
  return out;
}

}  // namespace

GenerationRun::GenerationRun(
    const GenerationContext& context,
    std::shared_ptr<const Request> request,
    std::shared_ptr<ResponseStream> stream
)
    : context_(context),
      request_(std::move(request)),
      input_(std::get<GenerationInput>(request_->input)),
      stream_(std::move(stream)) {}

void GenerationRun::refuse(const Status& status) {
  LaneGate& gate = context_.gate;
  stream_->finish(status);
  gate.leave();
}

void GenerationRun::start() {
  if (stream_->cancelled()) return refuse(cancelled("the client left"));
  const TimePoint begin = steady_clock().now();
  auto prepared = context_.prompts.prepare(input_);
  if (!prepared.ok()) return refuse(prepared.status());
  plan_ = std::move(prepared->text);
  echo_tokens_ = std::move(prepared->echo_tokens);
  prompt_tokens_ = prepared->input.prompt.size();
  const std::size_t sequences = prepared->input.sequences;
  for (std::size_t i = 0; i < sequences; ++i) {
    texts_.push_back(std::make_unique<SequenceText>(plan_, context_.prompts.vocabulary()));
    unsent_.push_back(nothing_of(i));
    unsent_.back().text = prepared->echo;
  }
  running_ = lane_running_ = sequences;
  awaits_prompt_ = !echo_tokens_.empty();
  choosing_ = sequences > std::max<std::size_t>(input_.sequences, 1);

  auto request = std::make_shared<Request>();
  request->id = request_->id;
  request->model = request_->model;
  request->principal = request_->principal;
  request->arrival = request_->arrival;
  request->deadline = request_->deadline;
  request->niceness = request_->niceness;
  request->queue_timeout = request_->queue_timeout;
  request->parameters = request_->parameters;
  if (sequences > 1) {
    ends_ = std::make_shared<SequenceEnds>(sequences);
    prepared->input.ends = ends_;
  }
  prepared->input.adapter = request_->model.adapter;
  prepared->input.adapter_scale = adapter_scale(request_->parameters);
  request->input = std::move(prepared->input);
  lane_stream_ = std::make_shared<ResponseStream>(std::max(kLanePartsMin, 2 * sequences));
  lane_stream_->follow(stream_);
  lane_stream_->on_ready([self = shared_from_this()] { self->pump(); });
  preparing_time_ = steady_clock().now() - begin;
  if (context_.gate.submit(std::move(request), lane_stream_)) return;
  lane_stream_.reset();  // which held this run
  refuse(unavailable("the model is ending"));
}

void GenerationRun::pump() {
  turns_.take([this] { advance(); });
}

void GenerationRun::advance() {
  if (ended_) return;
  for (;;) {
    const bool sent = flush();
    // A reader who does not read holds up his own sequences: the lane's stream fills, and it
    // pauses.
    if (!sent && unsent_tokens_ >= kUnsentTokensMax) return;
    auto part = lane_stream_->read();
    if (!part) break;
    if (auto* output = std::get_if<TokenOutput>(&*part)) take(std::move(*output));
  }
  if (!lane_stream_->finished()) return;
  awaits_prompt_ = false;
  if (std::exchange(choosing_, false)) choose_best();
  if (flush()) end();
}

void GenerationRun::take(TokenOutput output) {
  if (output.sequence >= texts_.size() || stream_->cancelled()) return;
  if (output.finish != FinishReason::kNone) --lane_running_;
  if (!output.prompt.empty()) take_prompt(output.prompt);
  SequenceText& text = *texts_[output.sequence];
  GenerationOutput& to = unsent_[output.sequence];
  if (text.ended()) return;
  for (const SampledToken& token : output.tokens) text.add(token, to);
  unsent_tokens_ += output.tokens.size();
  if (output.finish != FinishReason::kNone) text.end(output.finish, to);
  to.output_tokens = text.tokens();
  if (text.ended()) end_sequence(output.sequence);
}

// The first token of a prompt follows from nothing: it has no probability.
void GenerationRun::take_prompt(const std::vector<SampledToken>& prompt) {
  if (!std::exchange(awaits_prompt_, false)) return;
  std::vector<TokenText> tokens;
  SampledToken first;
  first.token = echo_tokens_.front();
  first.logprob = std::numeric_limits<float>::quiet_NaN();
  tokens.push_back(token_text(context_.prompts.vocabulary(), first));
  for (const SampledToken& token : prompt) {
    tokens.push_back(token_text(context_.prompts.vocabulary(), token));
  }
  for (GenerationOutput& output : unsent_) {
    output.tokens.insert(output.tokens.begin(), tokens.begin(), tokens.end());
  }
}

// Of a stop string the lane knows nothing: it would go on.
void GenerationRun::end_sequence(std::size_t sequence) {
  if (ends_) ends_->end(sequence);
  if (--running_ == 0 && lane_running_ > 0) lane_stream_->cancel();
}

// True when nothing is left to be sent.
bool GenerationRun::flush() {
  if (stream_->cancelled()) return true;
  if (awaits_prompt_ || choosing_) {
    unsent_tokens_ = 0;  // what is kept for a choice is bounded by the tokens that were asked for
    return false;
  }
  for (std::size_t i = 0; i < unsent_.size(); ++i) {
    const std::size_t sequence = (next_ + i) % unsent_.size();
    if (!says_something(unsent_[sequence]) || write(sequence)) continue;
    next_ = sequence;
    return stream_->cancelled();
  }
  unsent_tokens_ = 0;
  return true;
}

bool GenerationRun::write(std::size_t sequence) {
  if (!std::exchange(room_asked_, true)) {
    stream_->on_room([self = shared_from_this()] { self->pump(); });
  }
  unsent_[sequence].input_tokens = prompt_tokens_;
  ResponsePart part(std::exchange(unsent_[sequence], nothing_of(sequence)));
  if (stream_->write(std::move(part))) return true;
  // What found no room was not taken.
  unsent_[sequence] =
      std::get<GenerationOutput>(std::move(part));  // NOLINT(bugprone-use-after-move)
  return false;
}

// The answers whose tokens are the likeliest come out as the first ones, in the order of their
// likelihood.
void GenerationRun::choose_best() {
  std::vector<std::size_t> order(texts_.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::ranges::stable_sort(order, [&](std::size_t a, std::size_t b) {
    return texts_[a]->mean_logprob() > texts_[b]->mean_logprob();
  });
  order.resize(std::max<std::size_t>(input_.sequences, 1));
  std::vector<GenerationOutput> best;
  for (const std::size_t sequence : order) {
    best.push_back(std::move(unsent_[sequence]));
    best.back().sequence = static_cast<std::uint32_t>(best.size() - 1);
    if (!input_.top_logprobs) best.back().tokens.clear();
  }
  unsent_ = std::move(best);
  next_ = 0;
}

void GenerationRun::end() {
  ended_ = true;
  Status status = lane_stream_->status();
  if (running_ == 0) {
    status = {};
  } else if (stream_->cancelled()) {
    status = cancelled("the client left");
  } else if (status.ok()) {
    status = internal("the lane ended without the end of every sequence");
  }
  LaneGate& gate = context_.gate;
  stream_->finish(std::move(status), timings());
  gate.leave();
}

Timings GenerationRun::timings() const {
  Timings out = lane_stream_->timings();
  out.compute_input += preparing_time_;
  out.input_tokens = prompt_tokens_;
  out.output_tokens = 0;
  for (const auto& text : texts_) out.output_tokens += text->tokens();
  return out;
}

}  // namespace cortex::backend
