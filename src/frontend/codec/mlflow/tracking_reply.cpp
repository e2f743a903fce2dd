// SPDX-License-Identifier: Apache-2.0
#include "frontend/codec/mlflow/tracking_reply.h"

#include <string>
#include <vector>

namespace cortex::frontend::mlflow {
namespace {

using tracking::Tag;

std::string_view stage_of(bool active) { return active ? "active" : "deleted"; }

void write_pairs(JsonWriter& writer, std::string_view key, const std::vector<Tag>& pairs) {
  if (pairs.empty()) return;
  writer.open_list(key);
  for (const Tag& pair : pairs) {
    writer.open_object();
    writer.text("key", pair.key);
    writer.text("value", pair.value);
    writer.close_object();
  }
  writer.close_list();
}

void write_metrics_if_any(JsonWriter& writer, const std::vector<tracking::Metric>& metrics) {
  if (metrics.empty()) return;
  writer.open_list("metrics");
  for (const tracking::Metric& metric : metrics) write_metric(writer, metric);
  writer.close_list();
}

void write_dataset(JsonWriter& writer, const tracking::DatasetInput& input) {
  writer.open_object();
  write_pairs(writer, "tags", input.tags);
  writer.open_object("dataset");
  writer.text("name", input.dataset.name);
  writer.text("digest", input.dataset.digest);
  writer.text("source_type", input.dataset.source_type);
  writer.text("source", input.dataset.source);
  writer.text_if("schema", input.dataset.schema);
  writer.text_if("profile", input.dataset.profile);
  writer.close_object();
  writer.close_object();
}

void write_inputs(JsonWriter& writer, const tracking::Run& run) {
  writer.open_object("inputs");
  if (!run.datasets.empty()) {
    writer.open_list("dataset_inputs");
    for (const tracking::DatasetInput& input : run.datasets) write_dataset(writer, input);
    writer.close_list();
  }
  if (!run.model_inputs.empty()) {
    writer.open_list("model_inputs");
    for (const std::string& model : run.model_inputs) {
      writer.open_object();
      writer.text("model_id", model);
      writer.close_object();
    }
    writer.close_list();
  }
  writer.close_object();
}

void write_outputs(JsonWriter& writer, const tracking::Run& run) {
  writer.open_object("outputs");
  if (!run.model_outputs.empty()) {
    writer.open_list("model_outputs");
    for (const tracking::ModelOutput& output : run.model_outputs) {
      writer.open_object();
      writer.text("model_id", output.model_id);
      writer.integer("step", output.step);
      writer.close_object();
    }
    writer.close_list();
  }
  writer.close_object();
}

std::string_view wire_status(tracking::ModelStatus status) {
  switch (status) {
    case tracking::ModelStatus::kReady:
      return "LOGGED_MODEL_READY";
    case tracking::ModelStatus::kUploadFailed:
      return "LOGGED_MODEL_UPLOAD_FAILED";
    case tracking::ModelStatus::kPending:
      break;
  }
  return "LOGGED_MODEL_PENDING";
}

}  // namespace

void write_experiment(
    JsonWriter& writer, std::string_view key, const tracking::Experiment& experiment
) {
  writer.open_object(key);
  writer.text("experiment_id", std::to_string(experiment.id));
  writer.text("name", experiment.name);
  writer.text("artifact_location", experiment.artifact_location);
  writer.text("lifecycle_stage", stage_of(experiment.active));
  writer.integer("last_update_time", experiment.updated_at);
  writer.integer("creation_time", experiment.created_at);
  write_pairs(writer, "tags", experiment.tags);
  writer.close_object();
}

void write_run_info(JsonWriter& writer, std::string_view key, const tracking::RunInfo& info) {
  writer.open_object(key);
  writer.text("run_uuid", info.run_id);
  writer.text("run_id", info.run_id);
  writer.text("run_name", info.name);
  writer.text("experiment_id", std::to_string(info.experiment));
  writer.text("user_id", info.user_id);
  writer.text("status", run_status_name(info.status));
  writer.integer("start_time", info.start_time);
  if (info.end_time) writer.integer("end_time", *info.end_time);
  writer.text("artifact_uri", info.artifact_uri);
  writer.text("lifecycle_stage", stage_of(info.active));
  writer.close_object();
}

void write_run(JsonWriter& writer, std::string_view key, const tracking::Run& run) {
  writer.open_object(key);
  write_run_info(writer, "info", run.info);
  writer.open_object("data");
  write_metrics_if_any(writer, run.metrics);
  write_pairs(writer, "params", run.params);
  write_pairs(writer, "tags", run.tags);
  writer.close_object();
  write_inputs(writer, run);
  write_outputs(writer, run);
  writer.close_object();
}

void write_metric(JsonWriter& writer, const tracking::Metric& metric) {
  writer.open_object();
  writer.text("key", metric.key);
  writer.real("value", metric.value);
  writer.integer("timestamp", metric.timestamp);
  writer.integer("step", metric.step);
  writer.text_if("dataset_name", metric.dataset_name);
  writer.text_if("dataset_digest", metric.dataset_digest);
  writer.text_if("model_id", metric.model_id);
  writer.text_if("run_id", metric.run_id);
  writer.close_object();
}

void write_logged_model(
    JsonWriter& writer, std::string_view key, const tracking::LoggedModel& model
) {
  writer.open_object(key);
  writer.open_object("info");
  writer.text("model_id", model.model_id);
  writer.text("experiment_id", std::to_string(model.experiment));
  writer.text("name", model.name);
  writer.integer("creation_timestamp_ms", model.created_at);
  writer.integer("last_updated_timestamp_ms", model.updated_at);
  writer.text("artifact_uri", model.artifact_uri);
  writer.text("status", wire_status(model.status));
  writer.text_if("creator_id", model.creator);
  writer.text_if("model_type", model.model_type);
  writer.text_if("source_run_id", model.source_run_id);
  writer.text_if("status_message", model.status_message);
  write_pairs(writer, "tags", model.tags);
  writer.close_object();
  writer.open_object("data");
  write_pairs(writer, "params", model.params);
  write_metrics_if_any(writer, model.metrics);
  writer.close_object();
  writer.close_object();
}

}  // namespace cortex::frontend::mlflow
