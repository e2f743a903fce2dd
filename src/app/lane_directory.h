// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <memory>
#include <utility>

#include "base/mutex.h"
#include "metrics/metrics_registry.h"
#include "request/response_stream.h"
#include "scheduler/lane_probe.h"
#include "scheduler/sequence_probe.h"

namespace cortex::app {

// The probes of all versions that were ever loaded, for the exposition. A version that is loaded
// again goes on with its old probe, so that counters never go back. Thread-safe; not on a request's
// path.
class LaneDirectory {
 public:
  explicit LaneDirectory(std::size_t versions_max) : versions_max_(versions_max) {}

  // Beyond the bound the probe is not listed.
  [[nodiscard]] std::shared_ptr<scheduler::LaneProbe> probe_for(const ModelIdentity& identity);

  // Of a language model.
  [[nodiscard]] std::shared_ptr<scheduler::SequenceProbe> sequence_probe_for(
      const ModelIdentity& identity
  );

  // What the lanes of tensor models counted, by model and version.
  [[nodiscard]] std::map<std::pair<std::string, std::string>, scheduler::LaneCounts> counts() const;
  // Writes batch sizes, executions, queue lengths and Triton's counts of them, and what language
  // models did under vLLM's names (app/sequence_metrics.h).
  void write(metrics::Exposition& out) const;

 private:
  using Key = std::pair<std::string, std::string>;

  const std::size_t versions_max_;
  mutable Mutex mutex_;
  std::map<Key, std::shared_ptr<scheduler::LaneProbe>> probes_ GUARDED_BY(mutex_);
  std::map<Key, std::shared_ptr<scheduler::SequenceProbe>> sequence_probes_ GUARDED_BY(mutex_);
};

}  // namespace cortex::app
