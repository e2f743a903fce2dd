// SPDX-License-Identifier: Apache-2.0
#include "tracking/tracking_schema.h"

#include <array>
#include <string_view>

namespace cortex::tracking {
namespace {

// The key of `metric` holds everything, so that a replayed batch finds its rows there; its order is
// the one in which a history is read.
constexpr std::string_view kFirst = R"(
CREATE TABLE experiment_counter (
  workspace {text} NOT NULL PRIMARY KEY,
  last BIGINT NOT NULL
);
CREATE TABLE experiment (
  workspace {text} NOT NULL,
  id BIGINT NOT NULL,
  name {text} NOT NULL,
  artifact_location {text} NOT NULL,
  lifecycle_stage {text} NOT NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  PRIMARY KEY (workspace, id),
  UNIQUE (workspace, name)
);
CREATE TABLE experiment_tag (
  workspace {text} NOT NULL,
  experiment BIGINT NOT NULL,
  key {text} NOT NULL,
  value {text} NOT NULL,
  PRIMARY KEY (workspace, experiment, key)
);
CREATE TABLE run (
  number {id},
  workspace {text} NOT NULL,
  run_id {text} NOT NULL,
  experiment BIGINT NOT NULL,
  name {text} NOT NULL,
  user_id {text} NOT NULL,
  status {text} NOT NULL,
  start_time BIGINT NOT NULL,
  end_time BIGINT,
  artifact_uri {text} NOT NULL,
  lifecycle_stage {text} NOT NULL,
  deleted_at BIGINT,
  UNIQUE (workspace, run_id)
);
CREATE INDEX run_by_start ON run (workspace, experiment, start_time DESC, run_id);
CREATE TABLE run_param (
  run BIGINT NOT NULL,
  key {text} NOT NULL,
  value {text} NOT NULL,
  PRIMARY KEY (run, key)
);
CREATE TABLE run_tag (
  run BIGINT NOT NULL,
  key {text} NOT NULL,
  value {text} NOT NULL,
  PRIMARY KEY (run, key)
);
CREATE TABLE metric (
  run BIGINT NOT NULL,
  key {text} NOT NULL,
  at BIGINT NOT NULL,
  step BIGINT NOT NULL,
  value DOUBLE PRECISION NOT NULL,
  is_nan BIGINT NOT NULL,
  PRIMARY KEY (run, key, at, step, value, is_nan)
);
CREATE TABLE latest_metric (
  run BIGINT NOT NULL,
  key {text} NOT NULL,
  at BIGINT NOT NULL,
  step BIGINT NOT NULL,
  value DOUBLE PRECISION NOT NULL,
  is_nan BIGINT NOT NULL,
  PRIMARY KEY (run, key)
);
CREATE TABLE dataset (
  number {id},
  workspace {text} NOT NULL,
  experiment BIGINT NOT NULL,
  name {text} NOT NULL,
  digest {text} NOT NULL,
  source_type {text} NOT NULL,
  source {text} NOT NULL,
  schema_text {text} NOT NULL,
  profile {text} NOT NULL,
  UNIQUE (workspace, experiment, name, digest)
);
CREATE TABLE run_dataset (
  run BIGINT NOT NULL,
  dataset BIGINT NOT NULL,
  PRIMARY KEY (run, dataset)
);
CREATE TABLE run_dataset_tag (
  run BIGINT NOT NULL,
  dataset BIGINT NOT NULL,
  key {text} NOT NULL,
  value {text} NOT NULL,
  PRIMARY KEY (run, dataset, key)
);
CREATE TABLE run_model (
  run BIGINT NOT NULL,
  direction {text} NOT NULL,
  model_id {text} NOT NULL,
  step BIGINT NOT NULL,
  PRIMARY KEY (run, direction, model_id, step)
);
CREATE TABLE logged_model (
  number {id},
  workspace {text} NOT NULL,
  model_id {text} NOT NULL,
  experiment BIGINT NOT NULL,
  name {text} NOT NULL,
  model_type {text} NOT NULL,
  source_run_id {text} NOT NULL,
  artifact_uri {text} NOT NULL,
  status {text} NOT NULL,
  status_message {text} NOT NULL,
  creator {text} NOT NULL,
  lifecycle_stage {text} NOT NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  UNIQUE (workspace, model_id)
);
CREATE INDEX logged_model_by_age ON logged_model (workspace, experiment, created_at DESC, model_id);
CREATE TABLE logged_model_param (
  model BIGINT NOT NULL,
  key {text} NOT NULL,
  value {text} NOT NULL,
  PRIMARY KEY (model, key)
);
CREATE TABLE logged_model_tag (
  model BIGINT NOT NULL,
  key {text} NOT NULL,
  value {text} NOT NULL,
  PRIMARY KEY (model, key)
);
CREATE TABLE logged_model_metric (
  model BIGINT NOT NULL,
  key {text} NOT NULL,
  run_id {text} NOT NULL,
  dataset_name {text} NOT NULL,
  dataset_digest {text} NOT NULL,
  step BIGINT NOT NULL,
  at BIGINT NOT NULL,
  value DOUBLE PRECISION NOT NULL,
  is_nan BIGINT NOT NULL,
  PRIMARY KEY (model, key, step, at, value, is_nan, run_id, dataset_name, dataset_digest)
);
)";

constexpr std::array<std::string_view, 1> kSteps = {kFirst};

}  // namespace

const store::Schema& tracking_schema() {
  static const store::Schema schema{"tracking", kSteps};
  return schema;
}

}  // namespace cortex::tracking
