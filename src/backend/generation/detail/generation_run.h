// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "backend/detail/lane_gate.h"
#include "backend/generation/detail/prompt_maker.h"
#include "backend/generation/detail/sequence_text.h"
#include "base/turns.h"
#include "request/request.h"
#include "request/response_stream.h"
#include "request/sequence_ends.h"

namespace cortex::backend {

// What all runs of one servable share.
struct GenerationContext {
  PromptMaker& prompts;
  LaneGate& gate;
};

// One request on its way: to the lane as tokens, back as text.
//
// Whoever brings news (the lane with tokens, the reader with room) works everything off that there
// is; who comes meanwhile leaves his turn to him.
class GenerationRun : public std::enable_shared_from_this<GenerationRun> {
 public:
  // REQUIRES: the gate was entered; the run leaves it.
  GenerationRun(
      const GenerationContext& context,
      std::shared_ptr<const Request> request,
      std::shared_ptr<ResponseStream> stream
  );

  void start();
  // Ends the request before it reached the lane.
  void refuse(const Status& status);

 private:
  void pump();
  void advance();
  void take(TokenOutput output);
  void take_prompt(const std::vector<SampledToken>& prompt);
  void end_sequence(std::size_t sequence);
  [[nodiscard]] bool flush();
  [[nodiscard]] bool write(std::size_t sequence);
  void choose_best();
  void end();
  [[nodiscard]] Timings timings() const;

  const GenerationContext& context_;
  const std::shared_ptr<const Request> request_;
  const GenerationInput& input_;
  const std::shared_ptr<ResponseStream> stream_;
  std::shared_ptr<ResponseStream> lane_stream_;
  std::shared_ptr<SequenceEnds> ends_;  // null where there is one sequence
  TextPlan plan_;
  std::vector<Token> echo_tokens_;
  std::size_t prompt_tokens_ = 0;
  Duration preparing_time_{};
  Turns turns_;
  // Of whoever has the turn.
  std::vector<std::unique_ptr<SequenceText>> texts_;
  std::vector<GenerationOutput> unsent_;  // by sequence, joined
  std::size_t unsent_tokens_ = 0;
  std::size_t next_ = 0;          // sequence that is written first
  std::size_t running_ = 0;       // sequences
  std::size_t lane_running_ = 0;  // as the lane sees it
  bool awaits_prompt_ = false;
  bool choosing_ = false;  // nothing is sent before all have ended
  bool room_asked_ = false;
  bool ended_ = false;
};

}  // namespace cortex::backend
