// SPDX-License-Identifier: Apache-2.0
#include "app/adapters.h"

#include <algorithm>
#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "base/clock.h"

namespace cortex::app {
namespace {

using metrics::Exposition;
using metrics::Type;
using registry::AdapterCounts;
using registry::AdapterPhase;
using registry::AdapterState;

struct AdapterCount {
  std::string_view name;
  std::string_view help;
  std::uint64_t AdapterCounts::* value;
};

constexpr AdapterCount kAdapterCounts[] = {
    {"cortex_adapter_loads_total", "Adapters that were loaded.", &AdapterCounts::loads},
    {"cortex_adapter_load_failures_total",
     "Adapters that could not be loaded.",
     &AdapterCounts::load_failures},
    {"cortex_adapter_unloads_total", "Adapters that somebody unloaded.", &AdapterCounts::unloads},
    {"cortex_adapter_evictions_total",
     "Adapters that gave way to others.",
     &AdapterCounts::evictions},
    {"cortex_adapter_swaps_total",
     "Adapters that took the place of another file or another adapter.",
     &AdapterCounts::swaps},
    {"cortex_adapter_refusals_total",
     "Requests and loads that found no room for an adapter, or waited too long for it.",
     &AdapterCounts::refusals},
};

struct ModelSums {
  std::size_t loaded = 0;
  std::size_t bytes = 0;
};

void write_models(Exposition& out, const std::vector<AdapterState>& states) {
  std::map<std::string, ModelSums> models;
  for (const AdapterState& state : states) {
    ModelSums& sums = models[state.record.base_model];
    sums.loaded += state.phase == AdapterPhase::kLoaded ? 1 : 0;
    sums.bytes += state.memory_bytes;
  }
  out.family("cortex_adapters", Type::kGauge, "Adapters that are registered.");
  out.sample({}, static_cast<double>(states.size()));
  out.family("cortex_adapters_loaded", Type::kGauge, "Adapters in memory, by model.");
  for (const auto& [model, sums] : models) {
    out.sample({{"model", model}}, static_cast<double>(sums.loaded));
  }
  out.family("cortex_adapter_memory_bytes", Type::kGauge, "Memory of adapters, by model.");
  for (const auto& [model, sums] : models) {
    out.sample({{"model", model}}, static_cast<double>(sums.bytes));
  }
}

void append_name(std::string& list, const std::string& name) {
  if (!list.empty()) list.push_back(',');
  list.append(name);
}

// The adapters of one model, or of all, as vLLM lists them.
struct AdapterTraffic {
  std::string running;
  std::string waiting;

  void add(const AdapterState& state) {
    if (state.in_use > 0) append_name(running, state.record.name);
    if (state.waiting > 0) append_name(waiting, state.record.name);
  }
};

void write_traffic(
    Exposition& out, metrics::Label model, const AdapterTraffic& traffic, std::size_t max, double at
) {
  const std::string adapters_max = std::to_string(max);
  std::vector<metrics::Label> labels;
  if (!model.value.empty()) labels.push_back(model);
  labels.push_back({"max_lora", adapters_max});
  labels.push_back({"running_lora_adapters", traffic.running});
  labels.push_back({"waiting_lora_adapters", traffic.waiting});
  out.sample(labels, at);
}

// Its value is the time, as vLLM's is, and a gateway takes the newest sample for the whole server:
// that is the one of all models, which names none. Those of single models stand a little behind.
void write_lora_requests(
    Exposition& out, const std::vector<AdapterState>& states, std::size_t adapters_max
) {
  std::map<std::string, AdapterTraffic> models;
  AdapterTraffic all;
  for (const AdapterState& state : states) {
    models[state.record.base_model].add(state);
    all.add(state);
  }
  const std::int64_t now = unix_milliseconds();
  out.family("vllm:lora_requests_info", Type::kGauge, "Adapters that requests use or wait for.");
  const std::size_t all_max = adapters_max * std::max<std::size_t>(models.size(), 1);
  write_traffic(out, {}, all, all_max, static_cast<double>(now) / 1000);
  for (const auto& [model, traffic] : models) {
    const double before = static_cast<double>(now - 1) / 1000;
    write_traffic(out, {"model_name", model}, traffic, adapters_max, before);
  }
}

}  // namespace

registry::AdapterShelfOptions adapter_options(const config::AdapterSettings& settings) {
  registry::AdapterShelfOptions out;
  out.folder = settings.folder;
  out.limits.adapters_max = settings.max_per_model;
  out.limits.bytes_max = settings.memory;
  out.file_bytes_max = settings.file_bytes;
  out.training_methods = settings.training_methods;
  out.wait = settings.wait;
  return out;
}

std::vector<frontend::OfferedAdapter> offered_adapters(const registry::AdapterShelf& shelf) {
  std::vector<frontend::OfferedAdapter> out;
  for (const AdapterState& state : shelf.list()) {
    const registry::AdapterRecord& record = state.record;
    if (!shelf.acquire({record.base_model, "", "", ""}).ok()) continue;
    out.push_back({record.name, record.base_model, record.path, record.created_at});
  }
  return out;
}

void write_adapter_metrics(Exposition& out, const AdapterReading& reading, std::size_t series_max) {
  const std::vector<AdapterState>& states = reading.states;
  write_models(out, states);
  for (const AdapterCount& count : kAdapterCounts) {
    out.family(count.name, Type::kCounter, count.help);
    out.sample({}, static_cast<double>(reading.counts.*count.value));
  }
  out.family("cortex_adapter_uses_total", Type::kCounter, "Requests that used an adapter.");
  std::size_t written = 0;
  for (const AdapterState& state : states) {
    if (state.uses == 0 || written++ >= series_max) continue;
    out.sample(
        {{"model", state.record.base_model}, {"adapter", state.record.name}},
        static_cast<double>(state.uses)
    );
  }
  write_lora_requests(out, states, reading.adapters_max);
}

}  // namespace cortex::app
