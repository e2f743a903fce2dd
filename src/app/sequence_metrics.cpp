// SPDX-License-Identifier: Apache-2.0
#include "app/sequence_metrics.h"

#include <array>
#include <string>
#include <string_view>

namespace cortex::app {
namespace {

using metrics::Exposition;
using metrics::Type;
using scheduler::SecondsDistribution;
using scheduler::SequenceCounts;
using scheduler::SequencesDistribution;
using scheduler::TokensDistribution;

struct SequenceNumber {
  std::string_view name;
  Type type;
  std::string_view help;
  std::uint64_t SequenceCounts::* value;
};

constexpr auto kVllmNumbers = std::to_array<SequenceNumber>({
    {"vllm:num_requests_running",
     Type::kGauge,
     "Sequences that are being generated.",
     &SequenceCounts::running},
    {"vllm:num_requests_waiting",
     Type::kGauge,
     "Requests that wait for their turn.",
     &SequenceCounts::waiting},
    {"vllm:prefix_cache_queries_total",
     Type::kCounter,
     "Prompt tokens that were looked up in the prefix cache.",
     &SequenceCounts::prefix_queries},
    {"vllm:prefix_cache_hits_total",
     Type::kCounter,
     "Of these, tokens that were there.",
     &SequenceCounts::prefix_hits},
    {"vllm:external_prefix_cache_queries_total",
     Type::kCounter,
     "Prompt tokens that were looked up beside the memory and on the disk.",
     &SequenceCounts::prefix_queries},
    {"vllm:external_prefix_cache_hits_total",
     Type::kCounter,
     "Of these, tokens that were restored from there.",
     &SequenceCounts::hits_external},
    {"vllm:prompt_tokens_total",
     Type::kCounter,
     "Prompt tokens of admitted requests.",
     &SequenceCounts::prompt_tokens},
    {"vllm:prompt_tokens_cached_total",
     Type::kCounter,
     "Of these, tokens not computed again.",
     &SequenceCounts::cached_tokens},
    {"vllm:generation_tokens_total",
     Type::kCounter,
     "Tokens that were generated.",
     &SequenceCounts::generated_tokens},
    {"vllm:spec_decode_num_drafts_total",
     Type::kCounter,
     "Drafts that steps tried, of one token or more.",
     &SequenceCounts::drafts},
    {"vllm:spec_decode_num_draft_tokens_total",
     Type::kCounter,
     "Tokens of these drafts.",
     &SequenceCounts::draft_tokens},
    {"vllm:spec_decode_num_accepted_tokens_total",
     Type::kCounter,
     "Of these, tokens that were drawn.",
     &SequenceCounts::draft_tokens_accepted},
});

constexpr auto kOwnNumbers = std::to_array<SequenceNumber>({
    {"cortex_sequence_draft_model_steps_total",
     Type::kCounter,
     "Steps of the small model that foretells.",
     &SequenceCounts::draft_model_steps},
    {"cortex_sequence_accepted_total",
     Type::kCounter,
     "Requests that entered the queue.",
     &SequenceCounts::accepted},
    {"cortex_sequence_failed_total",
     Type::kCounter,
     "Requests that the engine or a constraint failed.",
     &SequenceCounts::failed},
    {"cortex_sequence_cancelled_total",
     Type::kCounter,
     "Requests whose client left.",
     &SequenceCounts::cancelled},
    {"cortex_sequence_expired_total",
     Type::kCounter,
     "Requests that waited or ran too long.",
     &SequenceCounts::expired},
    {"cortex_sequence_computed_tokens_total",
     Type::kCounter,
     "Prompt tokens that the engine computed, again ones too.",
     &SequenceCounts::computed_tokens},
    {"cortex_sequence_prefix_waits_total",
     Type::kCounter,
     "Requests that waited for a prompt that was being read.",
     &SequenceCounts::prefix_waits},
    {"cortex_sequence_evicted_cells_total",
     Type::kCounter,
     "Cells that the prefix cache gave way with.",
     &SequenceCounts::evicted_cells},
    {"cortex_sequence_prefix_restored_tokens_total",
     Type::kCounter,
     "Tokens whose states came back into the memory, for requests and named prefixes.",
     &SequenceCounts::restored_tokens},
    {"cortex_sequence_prefix_restores_failed_total",
     Type::kCounter,
     "States of prefixes that did not come, or not in time: they were computed.",
     &SequenceCounts::restores_failed},
    {"cortex_sequence_prefix_saved_total",
     Type::kCounter,
     "States of prefixes that were copied out of the memory.",
     &SequenceCounts::prefixes_saved},
    {"cortex_sequence_prefix_writes_failed_total",
     Type::kCounter,
     "States that were not written: the disk failed, or too many waited.",
     &SequenceCounts::prefix_writes_failed},
    {"cortex_sequence_named_prefixes_released_total",
     Type::kCounter,
     "Times that named prefixes gave way to a sequence that needed the whole memory.",
     &SequenceCounts::named_released},
    {"cortex_sequence_named_prefixes",
     Type::kGauge,
     "Prefixes that have names.",
     &SequenceCounts::named_prefixes},
    {"cortex_sequence_named_prefix_cells",
     Type::kGauge,
     "Cells that they hold.",
     &SequenceCounts::named_cells},
    {"cortex_sequence_pauses_total",
     Type::kCounter,
     "Streams whose reader was slow.",
     &SequenceCounts::pauses},
    {"cortex_sequence_adapter_switches_total",
     Type::kCounter,
     "Changes of the adapter.",
     &SequenceCounts::adapter_switches},
    {"cortex_sequence_steps_total", Type::kCounter, "Steps of the engine.", &SequenceCounts::steps},
    {"cortex_sequence_step_failures_total",
     Type::kCounter,
     "Steps that failed.",
     &SequenceCounts::step_failures},
    {"cortex_sequence_step_aborts_total",
     Type::kCounter,
     "Steps that were ended because nobody waited for them.",
     &SequenceCounts::step_aborts},
    {"cortex_sequence_engine_full_total",
     Type::kCounter,
     "Steps for which the engine had less room than was counted.",
     &SequenceCounts::engine_full},
    {"cortex_sequence_preempted",
     Type::kGauge,
     "Sequences that wait outside the memory.",
     &SequenceCounts::preempted},
    {"cortex_sequence_waiting_tokens",
     Type::kGauge,
     "Prompt tokens of waiting requests.",
     &SequenceCounts::waiting_tokens},
    {"cortex_sequence_cells",
     Type::kGauge,
     "Tokens that the memory holds at most.",
     &SequenceCounts::cells_total},
    {"cortex_sequence_cells_used",
     Type::kGauge,
     "Tokens that the memory holds.",
     &SequenceCounts::cells_used},
    {"cortex_sequence_prefix_cells",
     Type::kGauge,
     "Of these, the prefix cache's.",
     &SequenceCounts::prefix_cells},
    {"cortex_sequence_saved_bytes",
     Type::kGauge,
     "States of sequences outside the memory.",
     &SequenceCounts::saved_bytes},
});

template <typename Distribution>
struct SequenceHistogram {
  std::string_view name;
  std::string_view help;
  Distribution SequenceCounts::* value;
};

constexpr auto kSeconds = std::to_array<SequenceHistogram<SecondsDistribution>>({
    {"vllm:time_to_first_token_seconds",
     "From arrival to the first token.",
     &SequenceCounts::first_token},
    {"vllm:inter_token_latency_seconds",
     "Between two tokens of a sequence.",
     &SequenceCounts::inter_token},
    {"vllm:e2e_request_latency_seconds", "From arrival to the end.", &SequenceCounts::end_to_end},
    {"vllm:request_queue_time_seconds", "From arrival to admission.", &SequenceCounts::queue},
    {"vllm:request_prefill_time_seconds",
     "From admission to the first token.",
     &SequenceCounts::prefill},
    {"vllm:request_decode_time_seconds",
     "From the first token to the last.",
     &SequenceCounts::decode},
    {"vllm:request_inference_time_seconds",
     "From admission to the last token.",
     &SequenceCounts::inference},
    {"vllm:request_time_per_output_token_seconds",
     "Of each sequence, what a token behind the first took on average.",
     &SequenceCounts::per_token},
    {"cortex_sequence_step_seconds", "Steps of the engine.", &SequenceCounts::step},
});

constexpr auto kTokens = std::to_array<SequenceHistogram<TokensDistribution>>({
    {"vllm:request_prompt_tokens",
     "Tokens of a request's prompt.",
     &SequenceCounts::request_prompt_tokens},
    {"vllm:request_generation_tokens",
     "Tokens that a request generated.",
     &SequenceCounts::request_generated_tokens},
    {"vllm:request_max_num_generation_tokens",
     "Tokens of a request's longest sequence.",
     &SequenceCounts::request_longest_tokens},
    {"vllm:request_params_max_tokens",
     "Tokens that a sequence might have had: as asked for, at most the rest of the context.",
     &SequenceCounts::request_tokens_max},
    {"vllm:request_prefill_kv_computed_tokens",
     "Tokens of a prompt that were computed, not taken from a cache.",
     &SequenceCounts::request_computed_tokens},
    {"vllm:iteration_tokens_total", "Rows of a step.", &SequenceCounts::step_rows},
});

constexpr auto kSequences = std::to_array<SequenceHistogram<SequencesDistribution>>({
    {"vllm:request_params_n",
     "Sequences that a request asked for.",
     &SequenceCounts::request_sequences},
});

// The memory has no blocks. Inference gateways ask for some, and compare a bounded number of them:
// of one token each they would see no more than the beginning of a prompt.
constexpr std::uint64_t kToldBlockTokens = 16;

// One of several values of a label.
struct SequenceKind {
  std::string_view kind;
  std::uint64_t SequenceCounts::* value;
};

using Labels = std::array<metrics::Label, 2>;

// vLLM knows no versions: our label stands beside its own.
Labels labels_of(const SequenceReading& reading) {
  return {{{"model_name", reading.model.name}, {"version", reading.model.version}}};
}

template <typename Readings>
void write_numbers(
    Exposition& out, std::span<const SequenceNumber> numbers, const Readings& readings
) {
  for (const SequenceNumber& number : numbers) {
    out.family(number.name, number.type, number.help);
    for (const SequenceReading& reading : readings) {
      out.sample(labels_of(reading), static_cast<double>(reading.counts.*number.value));
    }
  }
}

template <typename Families>
void write_distributions(
    Exposition& out, const Families& families, std::span<const SequenceReading> readings
) {
  for (const auto& family : families) {
    out.family(family.name, Type::kHistogram, family.help);
    for (const SequenceReading& reading : readings) {
      const auto& distribution = reading.counts.*family.value;
      metrics::Histogram::Reading histogram;
      std::uint64_t sum = 0;
      for (const std::uint64_t count : distribution.counts) {
        histogram.cumulative.push_back(sum += count);
      }
      histogram.sum = distribution.sum;
      out.histogram(labels_of(reading), *distribution.bounds, histogram);
    }
  }
}

void write_kinds(
    Exposition& out,
    std::string_view label,
    std::span<const SequenceKind> kinds,
    std::span<const SequenceReading> readings
) {
  for (const SequenceReading& reading : readings) {
    for (const SequenceKind& kind : kinds) {
      out.sample(
          {{"model_name", reading.model.name},
           {"version", reading.model.version},
           {label, kind.kind}},
          static_cast<double>(reading.counts.*kind.value)
      );
    }
  }
}

void write_ratios(Exposition& out, std::span<const SequenceReading> readings) {
  out.family("vllm:kv_cache_usage_perc", Type::kGauge, "Used part of the memory; 1 is all of it.");
  for (const SequenceReading& reading : readings) {
    const auto total = static_cast<double>(reading.counts.cells_total);
    const auto used = static_cast<double>(reading.counts.cells_used);
    out.sample(labels_of(reading), total > 0 ? used / total : 0);
  }
  out.family("vllm:num_preemptions_total", Type::kCounter, "Sequences that had to wait outside.");
  for (const SequenceReading& reading : readings) {
    const auto all = reading.counts.preemptions_kept + reading.counts.preemptions_recomputed;
    out.sample(labels_of(reading), static_cast<double>(all));
  }
}

void write_memory(Exposition& out, std::span<const SequenceReading> readings) {
  out.family(
      "vllm:cache_config_info", Type::kGauge, "The memory, told as blocks of 16 tokens; always 1."
  );
  for (const SequenceReading& reading : readings) {
    const std::string tokens = std::to_string(kToldBlockTokens);
    const std::string blocks = std::to_string(reading.counts.cells_total / kToldBlockTokens);
    out.sample(
        {{"model_name", reading.model.name},
         {"version", reading.model.version},
         {"block_size", tokens},
         {"num_gpu_blocks", blocks}},
        1
    );
  }
}

void write_tiers(Exposition& out, std::span<const SequenceReading> readings) {
  constexpr auto kHits = std::to_array<SequenceKind>(
      {{"tree", &SequenceCounts::hits_tree},
       {"memory", &SequenceCounts::hits_memory},
       {"disk", &SequenceCounts::hits_disk}}
  );
  out.family(
      "cortex_sequence_prefix_hit_tokens_total",
      Type::kCounter,
      "Prompt tokens that were not computed again, by where their states lay."
  );
  write_kinds(out, "tier", kHits, readings);
  constexpr auto kBytes = std::to_array<SequenceKind>(
      {{"memory", &SequenceCounts::prefix_memory_bytes},
       {"disk", &SequenceCounts::prefix_disk_bytes}}
  );
  out.family(
      "cortex_sequence_prefix_bytes", Type::kGauge, "States of prefixes beside the model's memory."
  );
  write_kinds(out, "tier", kBytes, readings);
  constexpr auto kEvictions = std::to_array<SequenceKind>(
      {{"memory", &SequenceCounts::prefixes_evicted_memory},
       {"disk", &SequenceCounts::prefixes_evicted_disk}}
  );
  out.family(
      "cortex_sequence_prefix_evictions_total",
      Type::kCounter,
      "States that gave way for the budget of their tier."
  );
  write_kinds(out, "tier", kEvictions, readings);
}

void write_drafts(Exposition& out, std::span<const SequenceReading> readings) {
  constexpr auto kTried = std::to_array<SequenceKind>(
      {{"lookup", &SequenceCounts::lookup_draft_tokens},
       {"model", &SequenceCounts::model_draft_tokens}}
  );
  out.family(
      "cortex_sequence_draft_tokens_total",
      Type::kCounter,
      "Tokens of drafts that steps tried, by what foretold them."
  );
  write_kinds(out, "kind", kTried, readings);
  constexpr auto kAccepted = std::to_array<SequenceKind>(
      {{"lookup", &SequenceCounts::lookup_draft_tokens_accepted},
       {"model", &SequenceCounts::model_draft_tokens_accepted}}
  );
  out.family(
      "cortex_sequence_draft_tokens_accepted_total",
      Type::kCounter,
      "Of these, tokens that were drawn."
  );
  write_kinds(out, "kind", kAccepted, readings);
}

}  // namespace

void write_sequence_metrics(Exposition& out, std::span<const SequenceReading> readings) {
  write_numbers(out, kVllmNumbers, readings);
  write_ratios(out, readings);
  write_distributions(out, kSeconds, readings);
  write_distributions(out, kTokens, readings);
  write_distributions(out, kSequences, readings);
  write_memory(out, readings);
  write_numbers(out, kOwnNumbers, readings);
  constexpr auto kReasons = std::to_array<SequenceKind>(
      {{"stop", &SequenceCounts::finished_stop},
       {"length", &SequenceCounts::finished_length},
       {"abort", &SequenceCounts::finished_abort},
       {"error", &SequenceCounts::finished_error}}
  );
  out.family("vllm:request_success_total", Type::kCounter, "Sequences that ended, by reason.");
  write_kinds(out, "finished_reason", kReasons, readings);
  constexpr auto kRejections = std::to_array<SequenceKind>(
      {{"requests", &SequenceCounts::rejected_requests},
       {"tokens", &SequenceCounts::rejected_tokens},
       {"time", &SequenceCounts::rejected_time},
       {"closed", &SequenceCounts::rejected_closed},
       {"invalid", &SequenceCounts::rejected_invalid},
       {"adapter", &SequenceCounts::rejected_adapter}}
  );
  out.family("cortex_sequence_rejected_total", Type::kCounter, "Requests refused, by limit.");
  write_kinds(out, "reason", kRejections, readings);
  constexpr auto kPreemptions = std::to_array<SequenceKind>(
      {{"kept", &SequenceCounts::preemptions_kept},
       {"recomputed", &SequenceCounts::preemptions_recomputed}}
  );
  out.family(
      "cortex_sequence_preemptions_total",
      Type::kCounter,
      "Sequences that had to wait outside, by what became of their state."
  );
  write_kinds(out, "state", kPreemptions, readings);
  write_tiers(out, readings);
  write_drafts(out, readings);
}

}  // namespace cortex::app
