// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>

#include "backend/sequence_backend.h"
#include "base/clock.h"
#include "request/servable.h"
#include "scheduler/sequence_probe.h"

namespace cortex::scheduler {

struct SequenceLaneOptions {
  ModelIdentity identity;
  std::size_t running_max = 0;  // sequences at once; 0: by the backend's ids
  std::size_t queue_requests_max = 512;
  std::size_t queue_tokens_max = 0;  // prompt tokens that wait; 0: 16 contexts
  // Wanted gap between two tokens of a running sequence while prompts are read; the size of a
  // prompt's chunks follows from it and from what steps were measured to cost. 0: four times the
  // measured gap without prompts.
  std::chrono::microseconds token_interval{0};
  bool prefix_cache = true;
  std::shared_ptr<SequenceProbe> probe;  // null: one of its own
};

// The queue of one loaded language model and the one thread that runs it: a continuous batcher.
// Takes requests of SequenceInput alone and answers with TokenOutput parts.
//
// Each step: what ended, left or timed out is let go; waiting requests are admitted by weighted
// fair queueing over principals, by priority class and deadline, as far as the memory's cells
// reach; then one run of the engine carries a token of every running sequence and as much of the
// admitted prompts as the cost model allows. When cells run short the prefix cache gives way first,
// then the sequence that was admitted last waits outside (its state is kept where that is cheaper
// than computing it again): pressure never fails a request.
//
// Equal prefixes are computed once, also by requests that come at the same moment. A reader that
// stops reading pauses its sequences and nobody else's.
//
// Limits: the queue (kResourceExhausted with an estimate when to retry), a prompt that can never
// fit (kInvalidArgument), the request's deadline and queue timeout (kDeadlineExceeded),
// kUnavailable when draining.
class SequenceLane final : public Servable {
 public:
  // `clock` outlives the lane.
  SequenceLane(
      SequenceLaneOptions options,
      std::shared_ptr<backend::SequenceBackend> backend,
      const Clock& clock
  );
  // Ends everything that is inside with kUnavailable. Not from a stream's wake function.
  ~SequenceLane() override;

  void submit(std::shared_ptr<const Request> request, std::shared_ptr<ResponseStream> stream)
      override;
  // Refuses further requests with kUnavailable; what is inside is served to its end.
  void drain();

  [[nodiscard]] const SequenceProbe& probe() const;

 private:
  struct Inner;
  std::unique_ptr<Inner> inner_;
};

}  // namespace cortex::scheduler
