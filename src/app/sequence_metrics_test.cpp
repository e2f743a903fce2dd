// SPDX-License-Identifier: Apache-2.0
#include "app/sequence_metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "metrics/exposition.h"

namespace cortex::app {
namespace {

using testing::HasSubstr;

std::string written(const scheduler::SequenceProbe& probe) {
  metrics::Exposition out(metrics::Form::kPrometheus);
  const SequenceReading reading{{"m", "2"}, probe.read()};
  write_sequence_metrics(out, {&reading, 1});
  return out.finish();
}

TEST(SequenceMetrics, say_by_which_reason_sequences_ended) {
  scheduler::SequenceProbe probe;
  probe.finished_stop = 1;
  probe.finished_length = 2;
  probe.finished_abort = 3;
  probe.finished_error = 4;
  const std::string text = written(probe);
  const std::string name =
      "vllm:request_success_total{model_name=\"m\",version=\"2\",finished_reason=";
  EXPECT_THAT(text, HasSubstr(name + "\"stop\"} 1\n"));
  EXPECT_THAT(text, HasSubstr(name + "\"length\"} 2\n"));
  EXPECT_THAT(text, HasSubstr(name + "\"abort\"} 3\n"));
  EXPECT_THAT(text, HasSubstr(name + "\"error\"} 4\n"));
}

TEST(SequenceMetrics, tell_what_was_foretold_by_the_text_and_by_a_model) {
  scheduler::SequenceProbe probe;
  probe.draft_tokens = 10;
  probe.draft_tokens_accepted = 6;
  probe.model_draft_tokens = 7;
  probe.model_draft_tokens_accepted = 5;
  const std::string text = written(probe);
  const std::string labels = "{model_name=\"m\",version=\"2\",kind=";
  const std::string tried = "cortex_sequence_draft_tokens_total" + labels;
  const std::string accepted = "cortex_sequence_draft_tokens_accepted_total" + labels;
  EXPECT_THAT(text, HasSubstr(tried + "\"lookup\"} 3\n"));
  EXPECT_THAT(text, HasSubstr(tried + "\"model\"} 7\n"));
  EXPECT_THAT(text, HasSubstr(accepted + "\"lookup\"} 1\n"));
  EXPECT_THAT(text, HasSubstr(accepted + "\"model\"} 5\n"));
}

TEST(SequenceMetrics, tell_the_memory_in_blocks_that_a_gateway_can_count) {
  scheduler::SequenceProbe probe;
  probe.cells_total = 4100;
  EXPECT_THAT(
      written(probe),
      HasSubstr("vllm:cache_config_info{model_name=\"m\",version=\"2\",block_size=\"16\","
                "num_gpu_blocks=\"256\"} 1\n")
  );
}

TEST(SequenceMetrics, have_vllms_histograms_of_requests) {
  scheduler::SequenceProbe probe;
  probe.request_sequences.add(3);
  probe.request_tokens_max.add(100);
  probe.request_longest_tokens.add(40);
  probe.request_computed_tokens.add(12);
  probe.inference.add(0.5);
  probe.per_token.add(0.02);
  const std::string text = written(probe);
  const std::string labels = "{model_name=\"m\",version=\"2\"";
  EXPECT_THAT(text, HasSubstr("vllm:request_params_n_bucket" + labels + ",le=\"2\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("vllm:request_params_n_bucket" + labels + ",le=\"5\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("vllm:request_params_max_tokens_sum" + labels + "} 100\n"));
  EXPECT_THAT(text, HasSubstr("vllm:request_max_num_generation_tokens_sum" + labels + "} 40\n"));
  EXPECT_THAT(text, HasSubstr("vllm:request_prefill_kv_computed_tokens_sum" + labels + "} 12\n"));
  EXPECT_THAT(text, HasSubstr("vllm:request_inference_time_seconds_sum" + labels + "} 0.5\n"));
  EXPECT_THAT(
      text, HasSubstr("vllm:request_time_per_output_token_seconds_sum" + labels + "} 0.02\n")
  );
}

}  // namespace
}  // namespace cortex::app
