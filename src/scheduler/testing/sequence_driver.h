// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "backend/synthetic/synthetic_sequences.h"
#include "base/check.h"
#include "base/clock.h"
#include "scheduler/sequence_core.h"

namespace cortex::scheduler::testing {

// A prompt of `count` tokens that no other number gives.
inline std::vector<Token> prompt_of(std::size_t count, std::uint64_t number) {
  std::vector<Token> out;
  std::uint64_t state = number * 0x9E3779B97F4A7C15U + 1;
  for (std::size_t i = 0; i < count; ++i) {
    state = state * 6364136223846793005U + 1442695040888963407U;
    out.push_back(static_cast<Token>(32 + (state >> 33U) % 90));
  }
  return out;
}

inline SequenceInput& sequence_input(Request& request) {
  return std::get<SequenceInput>(request.input);
}

// Goes on to its limit, draws the same tokens every time.
inline std::shared_ptr<Request> sequence_request(
    std::vector<Token> prompt, std::size_t tokens_max, std::string key = "key"
) {
  auto request = std::make_shared<Request>();
  SequenceInput input;
  input.prompt = std::move(prompt);
  input.tokens_max = tokens_max;
  input.ignore_end = true;
  input.sampling.seed = 7;
  request->principal.key = std::move(key);
  request->input = std::move(input);
  return request;
}

// Who asked, and what came back.
struct SequenceClient {
  std::shared_ptr<const Request> request;
  std::shared_ptr<ResponseStream> stream = std::make_shared<ResponseStream>();
  const Clock* clock = nullptr;
  bool reads = true;
  bool ended = false;
  std::vector<std::vector<Token>> answers;
  std::vector<FinishReason> finishes;
  std::vector<SampledToken> tokens;  // of all sequences, as they came
  std::vector<SampledToken> prompt;
  std::vector<TimePoint> arrivals;  // of parts with tokens

  void read() {
    while (reads) {
      std::optional<ResponsePart> part = stream->read();
      if (!part) break;
      take(std::get<TokenOutput>(*part));
    }
    if (reads && stream->finished()) ended = true;
  }
  [[nodiscard]] const Status& status() const { return stream->status(); }

 private:
  void take(TokenOutput& output) {
    if (output.sequence >= answers.size()) {
      answers.resize(output.sequence + 1);
      finishes.resize(output.sequence + 1, FinishReason::kNone);
    }
    CHECK(finishes[output.sequence] == FinishReason::kNone, "nothing comes behind an end");
    for (SampledToken& token : output.tokens) {
      answers[output.sequence].push_back(token.token);
      tokens.push_back(std::move(token));
    }
    finishes[output.sequence] = output.finish;
    if (!output.prompt.empty()) prompt = std::move(output.prompt);
    if (!output.tokens.empty()) arrivals.push_back(clock->now());
  }
};

// A core with a synthetic model on a clock that only the model's steps move.
class SequenceDriver {
 public:
  using Keys = backend::SyntheticSequences::Keys;

  // `draft`: the keys of a draft model; null: there is none.
  explicit SequenceDriver(
      const Keys& keys, SequenceCoreOptions options = {}, const Keys* draft = nullptr
  )
      : backend_(make_backend(keys)),
        core_(completed(std::move(options), draft), *backend_, probe_) {}
  ~SequenceDriver() { core_.close({Code::kUnavailable, "over"}, clock_.now()); }

  std::shared_ptr<SequenceClient> ask(
      std::shared_ptr<Request> request, std::shared_ptr<const NamedAdapter> adapter = nullptr
  ) {
    auto client = std::make_shared<SequenceClient>();
    request->arrival = clock_.now();
    client->request = request;
    client->clock = &clock_;
    client->stream->on_ready([weak = std::weak_ptr(client)] {
      if (const auto alive = weak.lock()) alive->read();
    });
    Status status = core_.door().enter(*request);
    if (status.ok()) {
      core_.add({request, client->stream, std::move(adapter), clock_.now()});
    } else {
      client->stream->finish(std::move(status));
    }
    return client;
  }

  // Called between the plan of a turn and its run.
  void after_plan(std::function<void()> look) { look_ = std::move(look); }

  // One turn; false where there was nothing to run.
  bool step() {
    const SequenceCore::Turn turn = core_.plan(clock_.now());
    if (look_) look_();
    if (turn.step == nullptr) return false;
    const TimePoint began = clock_.now();
    const Status status = backend_->decode(*turn.step);
    core_.commit(status, began, clock_.now());
    return true;
  }
  void run() {
    while (step()) {
    }
  }
  void run_for(Duration time) {
    const TimePoint end = clock_.now() + time;
    while (clock_.now() < end && step()) {
    }
  }

  [[nodiscard]] SequenceCore& core() { return core_; }
  [[nodiscard]] const SequenceState& state() const { return core_.state(); }
  [[nodiscard]] backend::SyntheticSequences& backend() { return *backend_; }
  [[nodiscard]] VirtualClock& clock() { return clock_; }
  [[nodiscard]] SequenceCounts counts() const { return probe_.read(); }

 private:
  std::unique_ptr<backend::SyntheticSequences> make_backend(const Keys& keys) {
    backend::SyntheticOptions options;
    options.wait = [this](Duration time) { clock_.advance(time); };
    auto made = backend::SyntheticSequences::make(keys, std::move(options));
    CHECK(made.ok(), "the keys are right");
    return std::move(*made);
  }
  SequenceCoreOptions completed(SequenceCoreOptions options, const Keys* draft) {
    options.identity = {"words", "1"};
    options.clock = &clock_;
    if (draft != nullptr) options.draft_backend = make_backend(*draft);
    return options;
  }

  VirtualClock clock_;
  SequenceProbe probe_;
  std::unique_ptr<backend::SyntheticSequences> backend_;
  SequenceCore core_;
  std::function<void()> look_;
};

}  // namespace cortex::scheduler::testing
