// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace cortex::tracking {

// What the room speaks of. Values; times are milliseconds since the Unix epoch.

struct Tag {
  std::string key;
  std::string value;
  bool operator==(const Tag&) const = default;
};
using Param = Tag;

// Deleted things stay and can be restored; who searches says which ones are meant.
enum class ViewType : std::uint8_t { kActiveOnly, kDeletedOnly, kAll };

struct Experiment {
  std::int64_t id = 0;
  std::string name;
  std::string artifact_location;
  bool active = true;
  std::int64_t created_at = 0;
  std::int64_t updated_at = 0;
  std::vector<Tag> tags;
};

enum class RunStatus : std::uint8_t { kRunning = 1, kScheduled, kFinished, kFailed, kKilled };
// "RUNNING" and so on.
[[nodiscard]] std::string_view run_status_name(RunStatus status);
[[nodiscard]] std::optional<RunStatus> parse_run_status(std::string_view name);

struct RunInfo {
  std::string run_id;  // 32 hexadecimal digits
  std::string name;
  std::int64_t experiment = 0;
  std::string user_id;
  RunStatus status = RunStatus::kRunning;
  std::int64_t start_time = 0;
  std::optional<std::int64_t> end_time;
  std::string artifact_uri;
  bool active = true;
};

// One value of one metric; NaN and infinities are values.
struct Metric {
  std::string key;
  double value = 0;
  std::int64_t timestamp = 0;
  std::int64_t step = 0;
  std::string model_id;  // the logged model that it belongs to; may be empty, as the two below
  std::string dataset_name;
  std::string dataset_digest;
  std::string run_id;  // of a logged model's metric: where it was logged
};

struct Dataset {
  std::string name;
  std::string digest;
  std::string source_type;
  std::string source;
  std::string schema;   // may be empty
  std::string profile;  // may be empty
};

struct DatasetInput {
  Dataset dataset;
  std::vector<Tag> tags;
};

struct ModelOutput {
  std::string model_id;
  std::int64_t step = 0;
};

struct Run {
  RunInfo info;
  std::vector<Metric> metrics;  // the latest value of each: by step, then timestamp, then value
  std::vector<Param> params;
  std::vector<Tag> tags;
  std::vector<DatasetInput> datasets;
  std::vector<std::string> model_inputs;  // ids of logged models
  std::vector<ModelOutput> model_outputs;
};

enum class ModelStatus : std::uint8_t { kPending = 1, kReady, kUploadFailed };
// "PENDING", "READY", "FAILED": as filters have them.
[[nodiscard]] std::string_view model_status_name(ModelStatus status);
[[nodiscard]] std::optional<ModelStatus> parse_model_status(std::string_view name);

struct LoggedModel {
  std::string model_id;  // "m-" and 32 hexadecimal digits
  std::int64_t experiment = 0;
  std::string name;
  std::string model_type;     // may be empty
  std::string source_run_id;  // may be empty
  std::string artifact_uri;
  ModelStatus status = ModelStatus::kPending;
  std::string status_message;
  std::string creator;
  std::int64_t created_at = 0;
  std::int64_t updated_at = 0;
  std::vector<Param> params;
  std::vector<Tag> tags;
  std::vector<Metric> metrics;  // every value, up to a limit
};

}  // namespace cortex::tracking
