// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

#include "frontend/codec/mlflow/wire.h"
#include "tracking/entities.h"

namespace cortex::frontend::mlflow {

// The entities of tracking as MLflow's messages, under `key` or as an element of a list.
void write_experiment(
    JsonWriter& writer, std::string_view key, const tracking::Experiment& experiment
);
void write_run_info(JsonWriter& writer, std::string_view key, const tracking::RunInfo& info);
void write_run(JsonWriter& writer, std::string_view key, const tracking::Run& run);
void write_metric(JsonWriter& writer, const tracking::Metric& metric);
void write_logged_model(
    JsonWriter& writer, std::string_view key, const tracking::LoggedModel& model
);

}  // namespace cortex::frontend::mlflow
