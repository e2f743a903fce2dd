// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <vector>

#include "base/clock.h"
#include "frontend/codec/oip/statistics_document.h"
#include "metrics/metrics_registry.h"
#include "request/request_record.h"
#include "tracking/serving_metrics.h"

namespace cortex::app {

// Turns request records into our histograms and counters and into Triton's nv_* names. Thread-safe;
// a record costs well under a microsecond, since every thread remembers the series of the routes
// and models that it saw last.
class ServerMetrics final : public RecordSink {
 public:
  // `registry` outlives this.
  explicit ServerMetrics(metrics::MetricsRegistry& registry);

  void record(const RequestRecord& record) override;
  // After every load of a version.
  void record_load(const ModelIdentity& model, Duration took, const Status& status);
  // What was counted so far of every version that was asked for anything, without rows. Not for
  // threads that serve.
  [[nodiscard]] std::vector<tracking::ServedCounts> served() const;
  // The same in the form of the Open Inference Protocol, without rows and executions. As served().
  [[nodiscard]] std::vector<frontend::oip::ModelStatistics> statistics() const;

 private:
  struct Series;
  struct Remembered;
  [[nodiscard]] const Series& series_for(const RequestRecord& record);
  [[nodiscard]] Series look_up(const RequestRecord& record, bool known_model);
  void record_inference(const Series& series, const RequestRecord& record);

  using Counters = metrics::Family<metrics::Counter>;
  using Histograms = metrics::Family<metrics::Histogram>;

  const std::uint64_t id_;  // tells the instances apart in what threads remember

  Counters& requests_;
  Counters& request_bytes_;
  Counters& response_bytes_;
  Histograms& request_duration_;
  Histograms& queue_duration_;
  Histograms& compute_duration_;
  Counters& input_tokens_;
  Histograms& load_duration_;
  Counters& load_failures_;
  Counters& failure_duration_;
  metrics::Family<metrics::Gauge>& last_inference_;
  metrics::Family<metrics::Gauge>& last_load_;

  Counters& nv_success_;
  Counters& nv_failure_;
  Counters& nv_request_;
  Counters& nv_queue_;
  Counters& nv_compute_input_;
  Counters& nv_compute_infer_;
  Counters& nv_compute_output_;
};

}  // namespace cortex::app
