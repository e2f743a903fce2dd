// SPDX-License-Identifier: Apache-2.0
#include "app/server_metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "app/lane_directory.h"

namespace cortex::app {
namespace {

using testing::HasSubstr;
using testing::Not;

RequestRecord inference() {
  RequestRecord out;
  out.api = "oip";
  out.route = "/v2/models/{model}/infer";
  out.method = "POST";
  out.http_status = 200;
  out.model = {"m", "1"};
  out.total = std::chrono::microseconds(300);
  out.timings.queue = std::chrono::nanoseconds(1500);
  out.timings.compute = std::chrono::microseconds(200);
  out.timings.input_tokens = 7;
  out.request_bytes = 10;
  out.response_bytes = 20;
  return out;
}

class ServerMetricsTest : public testing::Test {
 protected:
  std::string text() { return registry_.expose(metrics::Form::kPrometheus); }
  metrics::MetricsRegistry registry_{50};
  ServerMetrics metrics_{registry_};
};

TEST_F(ServerMetricsTest, counts_an_inference_under_our_names_and_tritons) {
  metrics_.record(inference());
  metrics_.record(inference());
  const std::string all = text();
  EXPECT_THAT(
      all,
      HasSubstr("cortex_requests_total{api=\"oip\",route=\"/v2/models/{model}/"
                "infer\",method=\"POST\",code=\"200\"} 2\n")
  );
  EXPECT_THAT(
      all,
      HasSubstr("cortex_request_duration_seconds_bucket{api=\"oip\",route=\"/v2/models/{model}/"
                "infer\",model=\"m\",version=\"1\",le=\"0.0005\"} 2\n")
  );
  EXPECT_THAT(all, HasSubstr("cortex_queue_duration_seconds_count{model=\"m\",version=\"1\"} 2\n"));
  EXPECT_THAT(
      all, HasSubstr("cortex_compute_duration_seconds_sum{model=\"m\",version=\"1\"} 0.0004\n")
  );
  EXPECT_THAT(all, HasSubstr("cortex_input_tokens_total{model=\"m\",version=\"1\"} 14\n"));
  EXPECT_THAT(all, HasSubstr("nv_inference_request_success{model=\"m\",version=\"1\"} 2\n"));
  EXPECT_THAT(all, HasSubstr("nv_inference_queue_duration_us{model=\"m\",version=\"1\"} 3\n"));
  EXPECT_THAT(
      all, HasSubstr("nv_inference_compute_infer_duration_us{model=\"m\",version=\"1\"} 400\n")
  );
}

TEST_F(ServerMetricsTest, tells_failures_by_reason_and_leaves_them_out_of_the_durations) {
  RequestRecord record = inference();
  record.http_status = 429;
  record.status = resource_exhausted("full");
  metrics_.record(record);
  record.http_status = 0;
  record.status = cancelled("left");
  metrics_.record(record);
  const std::string all = text();
  EXPECT_THAT(
      all,
      HasSubstr("nv_inference_request_failure{model=\"m\",version=\"1\",reason=\"REJECTED\"} 1\n")
  );
  EXPECT_THAT(
      all,
      HasSubstr("nv_inference_request_failure{model=\"m\",version=\"1\",reason=\"CANCELED\"} 1\n")
  );
  EXPECT_THAT(all, HasSubstr("nv_inference_request_success{model=\"m\",version=\"1\"} 0\n"));
  EXPECT_THAT(all, HasSubstr("cortex_queue_duration_seconds_count{model=\"m\",version=\"1\"} 0\n"));
}

TEST_F(ServerMetricsTest, keeps_names_that_no_model_bears_out_of_the_labels) {
  RequestRecord record = inference();
  record.model = {"made-up", ""};
  record.http_status = 404;
  record.status = not_found("no such model");
  metrics_.record(record);
  record.model.version = "3";
  metrics_.record(record);
  EXPECT_THAT(text(), Not(HasSubstr("made-up")));
  EXPECT_THAT(text(), HasSubstr("reason=\"OTHER\"} 2\n"));
}

TEST_F(ServerMetricsTest, tells_models_apart_on_one_thread) {
  for (int i = 0; i < 40; ++i) {
    RequestRecord record = inference();
    record.model.name = "m" + std::to_string(i % 20);
    metrics_.record(record);
  }
  EXPECT_THAT(text(), HasSubstr("nv_inference_request_success{model=\"m7\",version=\"1\"} 2\n"));
}

TEST_F(ServerMetricsTest, tells_what_loading_took_and_which_loads_failed) {
  metrics_.record_load({"m", "1"}, std::chrono::milliseconds(300), {});
  metrics_.record_load({"m", "2"}, std::chrono::milliseconds(1), invalid_argument("broken"));
  EXPECT_THAT(
      text(),
      HasSubstr(
          "cortex_model_load_duration_seconds_bucket{model=\"m\",version=\"1\",le=\"0.5\"} 1\n"
      )
  );
  EXPECT_THAT(text(), HasSubstr("nv_model_load_duration_secs{model=\"m\",version=\"1\"} 0.3\n"));
  EXPECT_THAT(text(), HasSubstr("cortex_model_load_failures_total{model=\"m\",version=\"2\"} 1\n"));
}

TEST(LaneDirectory, goes_on_counting_when_a_version_is_loaded_again) {
  LaneDirectory lanes(10);
  lanes.probe_for({"m", "1"})->add_batch(3);
  lanes.probe_for({"m", "1"})->add_batch(1);
  metrics::Exposition out(metrics::Form::kPrometheus);
  lanes.write(out);
  const std::string text = out.finish();
  EXPECT_THAT(text, HasSubstr("nv_inference_exec_count{model=\"m\",version=\"1\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("nv_inference_count{model=\"m\",version=\"1\"} 4\n"));
  EXPECT_THAT(text, HasSubstr("cortex_batch_size_bucket{model=\"m\",version=\"1\",le=\"2\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("cortex_batch_size_sum{model=\"m\",version=\"1\"} 4\n"));
}

TEST(LaneDirectory, lists_no_more_versions_than_its_bound) {
  LaneDirectory lanes(1);
  lanes.probe_for({"a", "1"})->add_batch(1);
  EXPECT_NE(lanes.probe_for({"b", "1"}), nullptr);
  metrics::Exposition out(metrics::Form::kPrometheus);
  lanes.write(out);
  EXPECT_THAT(out.finish(), Not(HasSubstr("model=\"b\"")));
}

TEST_F(ServerMetricsTest, tells_what_every_version_was_asked_for) {
  metrics_.record(inference());
  metrics_.record(inference());
  RequestRecord failed = inference();
  failed.http_status = 429;
  failed.status = resource_exhausted("full");
  metrics_.record(failed);
  RequestRecord unknown = inference();
  unknown.model = {"nobody", ""};
  unknown.http_status = 404;
  unknown.status = not_found("nobody");
  metrics_.record(unknown);
  const auto statistics = metrics_.statistics();
  ASSERT_EQ(statistics.size(), 1u);
  EXPECT_EQ(statistics[0].model.name, "m");
  EXPECT_EQ(statistics[0].success.count, 2u);
  EXPECT_EQ(statistics[0].success.nanoseconds, 600'000u);
  EXPECT_EQ(statistics[0].fail.count, 1u);
  EXPECT_EQ(statistics[0].fail.nanoseconds, 300'000u);
  EXPECT_EQ(statistics[0].queue.nanoseconds, 3000u);
  EXPECT_EQ(statistics[0].compute_infer.count, 2u);
  EXPECT_GT(statistics[0].last_inference_ms, 1'700'000'000'000u);
}

}  // namespace
}  // namespace cortex::app
