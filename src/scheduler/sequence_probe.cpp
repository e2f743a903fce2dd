// SPDX-License-Identifier: Apache-2.0
#include "scheduler/sequence_probe.h"

#include <algorithm>

namespace cortex::scheduler {
namespace {

void read_distributions(const SequenceProbe& probe, SequenceCounts& out) {
  out.first_token = probe.first_token.read();
  out.inter_token = probe.inter_token.read();
  out.queue = probe.queue.read();
  out.prefill = probe.prefill.read();
  out.decode = probe.decode.read();
  out.inference = probe.inference.read();
  out.per_token = probe.per_token.read();
  out.end_to_end = probe.end_to_end.read();
  out.step = probe.step.read();
  out.request_prompt_tokens = probe.request_prompt_tokens.read();
  out.request_generated_tokens = probe.request_generated_tokens.read();
  out.request_longest_tokens = probe.request_longest_tokens.read();
  out.request_tokens_max = probe.request_tokens_max.read();
  out.request_computed_tokens = probe.request_computed_tokens.read();
  out.request_sequences = probe.request_sequences.read();
  out.step_rows = probe.step_rows.read();
}

}  // namespace

SequenceCounts SequenceProbe::read() const {
  const auto now = [](const Counter& counter) { return counter.load(std::memory_order_relaxed); };
  SequenceCounts out;
  out.accepted = now(accepted);
  out.finished_stop = now(finished_stop);
  out.finished_length = now(finished_length);
  out.finished_abort = now(finished_abort);
  out.finished_error = now(finished_error);
  out.failed = now(failed);
  out.cancelled = now(cancelled);
  out.expired = now(expired);
  out.rejected_requests = now(rejected_requests);
  out.rejected_tokens = now(rejected_tokens);
  out.rejected_time = now(rejected_time);
  out.rejected_closed = now(rejected_closed);
  out.rejected_invalid = now(rejected_invalid);
  out.rejected_adapter = now(rejected_adapter);
  out.prompt_tokens = now(prompt_tokens);
  out.cached_tokens = now(cached_tokens);
  out.computed_tokens = now(computed_tokens);
  out.generated_tokens = now(generated_tokens);
  out.drafts = now(drafts);
  // Read behind those that are parts of it.
  out.model_draft_tokens_accepted = now(model_draft_tokens_accepted);
  out.draft_tokens_accepted = now(draft_tokens_accepted);
  out.model_draft_tokens = now(model_draft_tokens);
  out.draft_tokens = now(draft_tokens);
  out.lookup_draft_tokens = out.draft_tokens - std::min(out.draft_tokens, out.model_draft_tokens);
  out.lookup_draft_tokens_accepted =
      out.draft_tokens_accepted -
      std::min(out.draft_tokens_accepted, out.model_draft_tokens_accepted);
  out.draft_model_steps = now(draft_model_steps);
  out.prefix_queries = now(prefix_queries);
  // Read behind those that are parts of it.
  out.hits_memory = now(hits_memory);
  out.hits_disk = now(hits_disk);
  out.hits_external = out.hits_memory + out.hits_disk;
  out.prefix_hits = now(prefix_hits);
  out.hits_tree = out.prefix_hits - std::min(out.prefix_hits, out.hits_memory + out.hits_disk);
  out.restored_tokens = now(restored_tokens);
  out.restores_failed = now(restores_failed);
  out.prefixes_saved = now(prefixes_saved);
  out.prefixes_evicted_memory = now(prefixes_evicted_memory);
  out.prefixes_evicted_disk = now(prefixes_evicted_disk);
  out.prefix_writes_failed = now(prefix_writes_failed);
  out.prefix_memory_bytes = now(prefix_memory_bytes);
  out.prefix_disk_bytes = now(prefix_disk_bytes);
  out.named_released = now(named_released);
  out.named_prefixes = now(named_prefixes);
  out.named_cells = now(named_cells);
  out.prefix_waits = now(prefix_waits);
  out.preemptions_kept = now(preemptions_kept);
  out.preemptions_recomputed = now(preemptions_recomputed);
  out.engine_full = now(engine_full);
  out.evicted_cells = now(evicted_cells);
  out.pauses = now(pauses);
  out.adapter_switches = now(adapter_switches);
  out.steps = now(steps);
  out.step_failures = now(step_failures);
  out.step_aborts = now(step_aborts);
  out.running = now(running);
  out.preempted = now(preempted);
  out.waiting = now(waiting);
  out.waiting_tokens = now(waiting_tokens);
  out.cells_used = now(cells_used);
  out.cells_total = now(cells_total);
  out.prefix_cells = now(prefix_cells);
  out.saved_bytes = now(saved_bytes);
  read_distributions(*this, out);
  return out;
}

}  // namespace cortex::scheduler
