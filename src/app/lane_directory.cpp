// SPDX-License-Identifier: Apache-2.0
#include "app/lane_directory.h"

#include <vector>

#include "app/sequence_metrics.h"

namespace cortex::app {
namespace {

using metrics::Exposition;
using metrics::Type;
using scheduler::LaneCounts;

struct Reading {
  std::string model;
  std::string version;
  LaneCounts counts;
};

struct LaneFamily {
  std::string_view name;
  Type type;
  std::string_view help;
  std::uint64_t LaneCounts::* value;
};

constexpr LaneFamily kLaneFamilies[] = {
    {"cortex_lane_accepted_total",
     Type::kCounter,
     "Requests that entered the queue.",
     &LaneCounts::accepted},
    {"cortex_lane_rejected_full_total",
     Type::kCounter,
     "Requests refused because the queue was full.",
     &LaneCounts::rejected_full},
    {"cortex_lane_expired_total",
     Type::kCounter,
     "Requests that waited too long.",
     &LaneCounts::expired},
    {"cortex_lane_cancelled_total",
     Type::kCounter,
     "Requests whose client left before their batch was closed.",
     &LaneCounts::cancelled},
    {"cortex_lane_inline_runs_total",
     Type::kCounter,
     "Runs on the submitting thread.",
     &LaneCounts::inline_runs},
    {"cortex_lane_padded_elements_total",
     Type::kCounter,
     "Positions that were filled in to make rows of a batch equal.",
     &LaneCounts::padded_elements},
    {"cortex_lane_running", Type::kGauge, "Batches in the engine.", &LaneCounts::running},
    {"nv_inference_count", Type::kCounter, "Rows that were run.", &LaneCounts::rows},
    {"nv_inference_exec_count", Type::kCounter, "Runs of the engine.", &LaneCounts::executions},
    {"nv_inference_pending_request_count",
     Type::kGauge,
     "Requests that wait for the engine.",
     &LaneCounts::queue_length},
};

constexpr auto kBatchBounds = [] {
  std::array<double, LaneCounts::kBatchSizeBounds.size()> out{};
  for (std::size_t i = 0; i < out.size(); ++i) {
    out[i] = static_cast<double>(LaneCounts::kBatchSizeBounds[i]);
  }
  return out;
}();

void write_batch_sizes(Exposition& out, const std::vector<Reading>& readings) {
  out.family("cortex_batch_size", Type::kHistogram, "Rows of a run.");
  for (const Reading& reading : readings) {
    metrics::Histogram::Reading histogram;
    std::uint64_t sum = 0;
    for (const std::uint64_t count : reading.counts.batch_sizes) {
      histogram.cumulative.push_back(sum += count);
    }
    histogram.sum = static_cast<double>(reading.counts.rows);
    const metrics::Label labels[] = {{"model", reading.model}, {"version", reading.version}};
    out.histogram(labels, kBatchBounds, histogram);
  }
}

}  // namespace

std::shared_ptr<scheduler::LaneProbe> LaneDirectory::probe_for(const ModelIdentity& identity) {
  MutexLock lock(mutex_);
  const Key key(identity.name, identity.version);
  const auto found = probes_.find(key);
  if (found != probes_.end()) return found->second;
  auto probe = std::make_shared<scheduler::LaneProbe>();
  if (probes_.size() < versions_max_) probes_.emplace(key, probe);
  return probe;
}

std::shared_ptr<scheduler::SequenceProbe> LaneDirectory::sequence_probe_for(
    const ModelIdentity& identity
) {
  MutexLock lock(mutex_);
  const Key key(identity.name, identity.version);
  const auto found = sequence_probes_.find(key);
  if (found != sequence_probes_.end()) return found->second;
  auto probe = std::make_shared<scheduler::SequenceProbe>();
  if (sequence_probes_.size() < versions_max_) sequence_probes_.emplace(key, probe);
  return probe;
}

std::map<std::pair<std::string, std::string>, LaneCounts> LaneDirectory::counts() const {
  std::map<Key, LaneCounts> out;
  MutexLock lock(mutex_);
  for (const auto& [key, probe] : probes_) out[key] = probe->read();
  return out;
}

void LaneDirectory::write(Exposition& out) const {
  std::vector<Reading> readings;
  std::vector<SequenceReading> sequences;
  {
    MutexLock lock(mutex_);
    for (const auto& [key, probe] : probes_)
      readings.push_back({key.first, key.second, probe->read()});
    for (const auto& [key, probe] : sequence_probes_) {
      sequences.push_back({{key.first, key.second}, probe->read()});
    }
  }
  write_batch_sizes(out, readings);
  for (const LaneFamily& family : kLaneFamilies) {
    out.family(family.name, family.type, family.help);
    for (const Reading& reading : readings) {
      out.sample(
          {{"model", reading.model}, {"version", reading.version}},
          static_cast<double>(reading.counts.*family.value)
      );
    }
  }
  if (!sequences.empty()) write_sequence_metrics(out, sequences);
}

}  // namespace cortex::app
