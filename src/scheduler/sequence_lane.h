// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "backend/sequence_backend.h"
#include "backend/sequence_controls.h"
#include "base/clock.h"
#include "cache/prefix_store.h"
#include "request/servable.h"
#include "scheduler/sequence_probe.h"

namespace cortex::scheduler {

struct SequenceLaneOptions {
  ModelIdentity identity;
  std::size_t running_max = 0;  // sequences at once; 0: by the backend's ids
  std::size_t queue_requests_max = 512;
  std::size_t queue_tokens_max = 0;  // prompt tokens that wait; 0: 16 contexts
  // Refused is who would probably wait longer for a first token. 0: no bound.
  std::chrono::microseconds first_token_max{0};
  // A principal's further requests wait while a step of all running sequences would take more than
  // so many times that of one: streams keep a pace, and where rows are cheap many run. 0: no bound.
  double stretch_max = 4;
  // Wanted gap between two tokens of a running sequence while prompts are read; the size of a
  // prompt's chunks follows from it and from what steps were measured to cost. Held between 1.67
  // and 2.5 times the gap without prompts, so that neither streams nor prompts get less than 40 %
  // of the time. 0: 2.1 times that gap.
  std::chrono::microseconds token_interval{0};
  bool prefix_cache = true;
  // Tokens foretold from prompt and answer that a step tries for each sequence, at most 15, where
  // they were measured to pay; what is drawn is the same with and without. 0: none.
  std::size_t draft_tokens_max = 8;
  // A small model that foretells where that says too little, likewise; DraftModel::fits(). Null:
  // none.
  std::shared_ptr<backend::SequenceBackend> draft_backend;
  // States of sequences that had to go out; and of stored prefixes that came for who waits, one of
  // which may be larger alone.
  std::size_t saved_bytes_max = std::size_t{256} << 20;
  // States of prefixes that have no place in the model's memory; of this model alone. Null: none.
  std::shared_ptr<cache::PrefixStore> prefix_store;
  bool prefix_store_outlives = false;  // it has a disk: all that is worth it is kept there in time
  std::shared_ptr<SequenceProbe> probe;  // null: one of its own
};

// The queue of one loaded language model and the one thread that runs it: a continuous batcher.
// Takes requests of SequenceInput alone and answers with TokenOutput parts.
//
// Each step: what ended, left or timed out is let go; waiting requests are admitted by weighted
// fair queueing over principals, by priority class and, within a principal, deadline, as far as the
// memory's cells reach; then one run of the engine carries a token of every running sequence and as
// much of the admitted prompts as the cost model allows. When cells run short the prefix cache
// gives way first, then the sequence that was admitted last waits outside (its state is kept where
// that is cheaper than computing it again): pressure never fails a request.
//
// Classes: a request's priority, at most its principal's class; 1 first; without either it stands
// in class 2. A lower class that was passed over 64 times leads once.
//
// Equal prefixes are computed once, also by requests that come at the same moment. A reader that
// stops reading pauses its own request and nobody else's: it keeps its places, and its cells until
// others need them.
//
// Prefixes that left memory are kept in the store, where a store is given and computing them again
// would cost more; a request whose prompt begins with one gets it back. For one on the disk it
// waits in no queue, at most 2 seconds, and is computed where it does not come. Prefixes with names
// stay in memory, up to half of it together; they give way only where a single sequence needs the
// place, and come back when nobody waits.
//
// Adapters: a step has one, so the sequences of different adapters take turns. A turn lasts sixteen
// times what a change of adapter was measured to cost, at most 250 ms, then whoever waited longest
// goes on: with A adapters in use nobody waits longer than A - 1 turns and as many steps.
//
// Limits: the queue (kResourceExhausted with an estimate when to retry), a prompt that can never
// fit (kInvalidArgument), the request's deadline and queue timeout (kDeadlineExceeded), an adapter
// that is not there (kNotFound), kUnavailable when draining. A step that the engine fails ends the
// requests that were in it.
class SequenceLane final : public Servable, public backend::SequenceControls {
 public:
  // `clock` outlives the lane.
  SequenceLane(
      SequenceLaneOptions options,
      std::shared_ptr<backend::SequenceBackend> backend,
      const Clock& clock
  );
  // Ends everything that is inside with kUnavailable. Not from a stream's wake function.
  ~SequenceLane() override;

  // The caller keeps the lane alive until this returns.
  void submit(std::shared_ptr<const Request> request, std::shared_ptr<ResponseStream> stream)
      override;
  // Refuses further requests with kUnavailable; what is inside is served to its end.
  void drain();

  // SequenceControls. Nothing waits for the lane.
  void add_adapter(std::string name, std::shared_ptr<const backend::SequenceAdapter> adapter)
      override;
  bool remove_adapter(const std::string& name) override;
  [[nodiscard]] Status create_prefix(backend::SequencePrefix prefix) override;
  bool remove_prefix(const std::string& name) override;
  [[nodiscard]] std::vector<PrefixState> prefixes() const override;

  [[nodiscard]] const SequenceProbe& probe() const;

 private:
  struct Inner;
  std::unique_ptr<Inner> inner_;
};

}  // namespace cortex::scheduler
