// SPDX-License-Identifier: Apache-2.0
#include "app/server_metrics.h"

#include <array>
#include <functional>
#include <map>
#include <string>
#include <utility>

namespace cortex::app {
namespace {

using metrics::Counter;
using metrics::FamilyInfo;
using metrics::Histogram;

const FamilyInfo kRequests{
    "cortex_requests_total",
    "Requests by route and HTTP status; 0 when the client left first.",
    {"api", "route", "method", "code"}
};
const FamilyInfo kRequestBytes{
    "cortex_request_bytes_total", "Bytes of request bodies.", {"api", "route"}
};
const FamilyInfo kResponseBytes{
    "cortex_response_bytes_total", "Bytes of answers.", {"api", "route"}
};
const FamilyInfo kRequestDuration{
    "cortex_request_duration_seconds",
    "From a request's arrival to the last byte of its answer.",
    {"api", "route", "model", "version"}
};

FamilyInfo of_model(std::string_view name, std::string_view help) {
  return {name, help, {"model", "version"}};
}

const FamilyInfo kQueueDuration =
    of_model("cortex_queue_duration_seconds", "From submission until the batch was closed.");
const FamilyInfo kComputeDuration = of_model(
    "cortex_compute_duration_seconds", "Time in the engine, of the batch that the request ran in."
);
const FamilyInfo kInputTokens = of_model("cortex_input_tokens_total", "Tokens that texts became.");
// Added up in nanoseconds.
const FamilyInfo kFailureDuration{
    "cortex_inference_failure_duration_seconds_total",
    "Seconds of requests that a version failed.",
    {"model", "version"},
    1e-9
};
const FamilyInfo kLastInference = of_model(
    "cortex_model_last_inference_timestamp_seconds", "When a version last answered a request."
);
const FamilyInfo kLoadDuration =
    of_model("cortex_model_load_duration_seconds", "Loading a version, warm-up included.");
const FamilyInfo kLoadFailures = of_model("cortex_model_load_failures_total", "Loads that failed.");

// Triton's names.
const FamilyInfo kNvLoad =
    of_model("nv_model_load_duration_secs", "Seconds that the last load of the version took.");
const FamilyInfo kNvSuccess =
    of_model("nv_inference_request_success", "Inference requests that succeeded.");
const FamilyInfo kNvFailure{
    "nv_inference_request_failure",
    "Inference requests that failed, by reason.",
    {"model", "version", "reason"}
};

// Durations are added up in nanoseconds and shown in microseconds, as Triton does.
FamilyInfo nv_microseconds(std::string_view name, std::string_view help) {
  return {name, help, {"model", "version"}, 1e-3};
}

const FamilyInfo kNvRequest = nv_microseconds(
    "nv_inference_request_duration_us",
    "Microseconds of successful requests, queue and network included."
);
const FamilyInfo kNvQueue = nv_microseconds(
    "nv_inference_queue_duration_us", "Microseconds that successful requests waited."
);
const FamilyInfo kNvComputeInput = nv_microseconds(
    "nv_inference_compute_input_duration_us",
    "Microseconds of gathering and padding, per successful request."
);
const FamilyInfo kNvComputeInfer = nv_microseconds(
    "nv_inference_compute_infer_duration_us", "Microseconds in the engine, per successful request."
);
const FamilyInfo kNvComputeOutput = nv_microseconds(
    "nv_inference_compute_output_duration_us", "Microseconds of scattering, per successful request."
);

double seconds(Duration duration) { return std::chrono::duration<double>(duration).count(); }

std::uint64_t nanoseconds(Duration duration) {
  return duration.count() > 0
             ? static_cast<std::uint64_t>(std::chrono::nanoseconds(duration).count())
             : 0;
}

// Triton's reasons.
std::string failure_reason(const RequestRecord& record) {
  switch (record.status.code()) {
    case Code::kResourceExhausted:
    case Code::kUnavailable:
    case Code::kDeadlineExceeded:
      return "REJECTED";
    case Code::kCancelled:
      return "CANCELED";
    case Code::kInternal:
      return "BACKEND";
    default:
      return record.http_status == 0 ? "CANCELED" : "OTHER";
  }
}

// A name that no version answers to is the client's text: it must not become a label.
bool names_known_model(const RequestRecord& record) {
  return !record.model.version.empty() && record.status.code() != Code::kNotFound;
}

bool succeeded(const RequestRecord& record) {
  return record.status.ok() && record.http_status != 0;
}

// To the second, so that threads seldom write to what they share.
void note_now(metrics::Gauge& timestamp) {
  const std::int64_t seconds = unix_milliseconds() / 1000;
  const auto now = static_cast<double>(seconds);
  if (timestamp.value() != now) timestamp.set(now);
}

std::atomic<std::uint64_t> next_id{1};

constexpr std::size_t kRemembered = 64;

}  // namespace

// What one record adds to.
struct ServerMetrics::Series {
  Counter* requests = nullptr;
  Counter* request_bytes = nullptr;
  Counter* response_bytes = nullptr;
  Histogram* request_duration = nullptr;
  // Null where no version of a model answered.
  Histogram* queue_duration = nullptr;
  Histogram* compute_duration = nullptr;
  Counter* input_tokens = nullptr;
  metrics::Gauge* last_inference = nullptr;
  Counter* nv_success = nullptr;
  Counter* nv_request = nullptr;
  Counter* nv_queue = nullptr;
  Counter* nv_compute_input = nullptr;
  Counter* nv_compute_infer = nullptr;
  Counter* nv_compute_output = nullptr;
};

struct ServerMetrics::Remembered {
  std::uint64_t owner = 0;
  const char* route = nullptr;
  const char* method = nullptr;
  int http_status = 0;
  bool known_model = false;
  std::string model;
  std::string version;
  Series series;

  [[nodiscard]] bool fits(std::uint64_t id, const RequestRecord& record, bool known) const {
    return owner == id && route == record.route.data() && method == record.method.data() &&
           http_status == record.http_status && known_model == known &&
           (!known || (model == record.model.name && version == record.model.version));
  }
};

ServerMetrics::ServerMetrics(metrics::MetricsRegistry& registry)
    : id_(next_id.fetch_add(1)),
      requests_(registry.counter(kRequests)),
      request_bytes_(registry.counter(kRequestBytes)),
      response_bytes_(registry.counter(kResponseBytes)),
      request_duration_(registry.histogram(kRequestDuration, metrics::duration_bounds())),
      queue_duration_(registry.histogram(kQueueDuration, metrics::duration_bounds())),
      compute_duration_(registry.histogram(kComputeDuration, metrics::duration_bounds())),
      input_tokens_(registry.counter(kInputTokens)),
      load_duration_(registry.histogram(kLoadDuration, metrics::load_bounds())),
      load_failures_(registry.counter(kLoadFailures)),
      failure_duration_(registry.counter(kFailureDuration)),
      last_inference_(registry.gauge(kLastInference)),
      last_load_(registry.gauge(kNvLoad)),
      nv_success_(registry.counter(kNvSuccess)),
      nv_failure_(registry.counter(kNvFailure)),
      nv_request_(registry.counter(kNvRequest)),
      nv_queue_(registry.counter(kNvQueue)),
      nv_compute_input_(registry.counter(kNvComputeInput)),
      nv_compute_infer_(registry.counter(kNvComputeInfer)),
      nv_compute_output_(registry.counter(kNvComputeOutput)) {}

ServerMetrics::Series ServerMetrics::look_up(const RequestRecord& record, bool known_model) {
  const std::string api(record.api);
  const std::string route(record.route);
  const std::string model = known_model ? record.model.name : "";
  const std::string version = known_model ? record.model.version : "";
  Series out;
  out.requests =
      &requests_.with({api, route, std::string(record.method), std::to_string(record.http_status)});
  out.request_bytes = &request_bytes_.with({api, route});
  out.response_bytes = &response_bytes_.with({api, route});
  out.request_duration = &request_duration_.with({api, route, model, version});
  if (!known_model) return out;
  out.queue_duration = &queue_duration_.with({model, version});
  out.compute_duration = &compute_duration_.with({model, version});
  out.input_tokens = &input_tokens_.with({model, version});
  out.last_inference = &last_inference_.with({model, version});
  out.nv_success = &nv_success_.with({model, version});
  out.nv_request = &nv_request_.with({model, version});
  out.nv_queue = &nv_queue_.with({model, version});
  out.nv_compute_input = &nv_compute_input_.with({model, version});
  out.nv_compute_infer = &nv_compute_infer_.with({model, version});
  out.nv_compute_output = &nv_compute_output_.with({model, version});
  return out;
}

const ServerMetrics::Series& ServerMetrics::series_for(const RequestRecord& record) {
  thread_local std::array<Remembered, kRemembered> remembered;
  const bool known = names_known_model(record);
  const std::size_t hash = std::hash<const void*>()(record.route.data()) / 8 +
                           static_cast<std::size_t>(record.http_status) +
                           (known ? std::hash<std::string>()(record.model.name) : 0);
  Remembered& place = remembered[hash % kRemembered];
  if (!place.fits(id_, record, known)) {
    place = {
        id_,
        record.route.data(),
        record.method.data(),
        record.http_status,
        known,
        record.model.name,
        record.model.version,
        look_up(record, known)
    };
  }
  return place.series;
}

void ServerMetrics::record(const RequestRecord& record) {
  const Series& series = series_for(record);
  series.requests->add();
  if (record.request_bytes != 0) series.request_bytes->add(record.request_bytes);
  if (record.response_bytes != 0) series.response_bytes->add(record.response_bytes);
  series.request_duration->observe(seconds(record.total));
  if (!record.model.name.empty()) record_inference(series, record);
}

void ServerMetrics::record_inference(const Series& series, const RequestRecord& record) {
  if (!succeeded(record)) {
    const bool known = names_known_model(record);
    nv_failure_
        .with(
            {known ? record.model.name : "",
             known ? record.model.version : "",
             failure_reason(record)}
        )
        .add();
    if (known) {
      failure_duration_.with({record.model.name, record.model.version})
          .add(nanoseconds(record.total));
    }
    return;
  }
  if (series.nv_success == nullptr) return;
  note_now(*series.last_inference);
  series.nv_success->add();
  series.nv_request->add(nanoseconds(record.total));
  series.nv_queue->add(nanoseconds(record.timings.queue));
  series.nv_compute_input->add(nanoseconds(record.timings.compute_input));
  series.nv_compute_infer->add(nanoseconds(record.timings.compute));
  series.nv_compute_output->add(nanoseconds(record.timings.compute_output));
  series.queue_duration->observe(seconds(record.timings.queue));
  series.compute_duration->observe(seconds(record.timings.compute));
  if (record.timings.input_tokens != 0) series.input_tokens->add(record.timings.input_tokens);
}

std::vector<tracking::ServedCounts> ServerMetrics::served() const {
  std::map<std::pair<std::string, std::string>, tracking::ServedCounts> all;
  using Labels = std::vector<std::string>;
  const auto count_of = [&](const std::string& model, const std::string& version) -> auto& {
    return all[{model, version}];
  };
  nv_success_.each([&](const Labels& of, const Counter& count) {
    count_of(of[0], of[1]).requests += count.value();
  });
  nv_failure_.each([&](const Labels& of, const Counter& count) {
    count_of(of[0], of[1]).requests += count.value();
    count_of(of[0], of[1]).failures += count.value();
  });
  input_tokens_.each([&](const Labels& of, const Counter& count) {
    count_of(of[0], of[1]).input_tokens += count.value();
  });
  request_duration_.each([&](const Labels& of, const Histogram& histogram) {
    const auto cumulative = histogram.read().cumulative;
    auto& latency = count_of(of[2], of[3]).latency;
    latency.resize(cumulative.size());
    for (std::size_t i = 0; i < cumulative.size(); ++i) latency[i] += cumulative[i];
  });
  std::vector<tracking::ServedCounts> out;
  for (auto& [key, counts] : all) {
    // No version of a known model answered, or it is one that has no series of its own.
    if (key.second.empty() || key.second == "other") continue;
    counts.model = key.first;
    counts.version = key.second;
    out.push_back(std::move(counts));
  }
  return out;
}

std::vector<frontend::oip::ModelStatistics> ServerMetrics::statistics() const {
  using frontend::oip::ModelStatistics;
  using Labels = std::vector<std::string>;
  std::map<Labels, ModelStatistics> all;
  nv_success_.each([&](const Labels& of, const Counter& count) {
    all[of].success.count = count.value();
  });
  nv_failure_.each([&](const Labels& of, const Counter& count) {
    all[{of[0], of[1]}].fail.count += count.value();
  });
  const auto read = [&](const Counters& family, auto&& nanoseconds_of) {
    family.each([&](const Labels& of, const Counter& sum) { nanoseconds_of(all[of]) = sum.value(); }
    );
  };
  read(nv_request_, [](auto& model) -> auto& { return model.success.nanoseconds; });
  read(failure_duration_, [](auto& model) -> auto& { return model.fail.nanoseconds; });
  read(nv_queue_, [](auto& model) -> auto& { return model.queue.nanoseconds; });
  read(nv_compute_input_, [](auto& model) -> auto& { return model.compute_input.nanoseconds; });
  read(nv_compute_infer_, [](auto& model) -> auto& { return model.compute_infer.nanoseconds; });
  read(nv_compute_output_, [](auto& model) -> auto& { return model.compute_output.nanoseconds; });
  last_inference_.each([&](const Labels& of, const metrics::Gauge& seconds_since_epoch) {
    const auto milliseconds = seconds_since_epoch.value() * 1000;
    all[of].last_inference_ms = static_cast<std::uint64_t>(milliseconds);
  });
  std::vector<ModelStatistics> out;
  for (auto& [labels, model] : all) {
    if (labels[1].empty() || labels[1] == "other") continue;  // as served()
    model.model = {labels[0], labels[1]};
    const std::uint64_t answered = model.success.count;
    model.queue.count = model.compute_input.count = answered;
    model.compute_infer.count = model.compute_output.count = answered;
    out.push_back(std::move(model));
  }
  return out;
}

void ServerMetrics::record_load(const ModelIdentity& model, Duration took, const Status& status) {
  if (!status.ok()) {
    load_failures_.with({model.name, model.version}).add();
    return;
  }
  load_duration_.with({model.name, model.version}).observe(seconds(took));
  last_load_.with({model.name, model.version}).set(seconds(took));
}

}  // namespace cortex::app
