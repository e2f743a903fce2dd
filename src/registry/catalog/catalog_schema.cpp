// SPDX-License-Identifier: Apache-2.0
#include "registry/catalog/catalog_schema.h"

#include <array>
#include <string_view>

namespace cortex::registry {
namespace {

// Names of models stand in one row, so that a rename is one change; everything else hangs on the
// model's id, which is never given twice: deleted models and versions stay as tombstones.
constexpr std::string_view kTables = R"(
CREATE TABLE registered_model (
  id {id},
  workspace {text} NOT NULL,
  name {text} NOT NULL,
  author {text} NOT NULL,
  description {text} NOT NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  revision BIGINT NOT NULL,
  greatest_version BIGINT NOT NULL,
  deleted_at BIGINT
);
CREATE UNIQUE INDEX registered_model_name ON registered_model (workspace, name)
  WHERE deleted_at IS NULL;

CREATE TABLE model_version (
  workspace {text} NOT NULL,
  model_id BIGINT NOT NULL,
  version BIGINT NOT NULL,
  major BIGINT,
  minor BIGINT,
  patch BIGINT,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  author {text} NOT NULL,
  description {text} NOT NULL,
  source {text} NOT NULL,
  location {text} NOT NULL,
  run {text} NOT NULL,
  run_link {text} NOT NULL,
  logged_model {text} NOT NULL,
  status BIGINT NOT NULL,
  status_message {text} NOT NULL,
  stage BIGINT NOT NULL,
  deleted BIGINT NOT NULL,
  deprecated_at BIGINT,
  deprecated_by {text} NOT NULL,
  deprecation_reason {text} NOT NULL,
  baseline_model_id BIGINT,
  baseline_version BIGINT,
  PRIMARY KEY (workspace, model_id, version)
);
CREATE UNIQUE INDEX model_version_semantic
  ON model_version (workspace, model_id, major, minor, patch);
CREATE INDEX model_version_newest
  ON model_version (workspace, model_id, deleted, status, version);
CREATE INDEX model_version_stage
  ON model_version (workspace, model_id, deleted, status, stage, version);
CREATE INDEX model_version_run ON model_version (workspace, run);

CREATE TABLE model_tag (
  workspace {text} NOT NULL,
  model_id BIGINT NOT NULL,
  name {text} NOT NULL,
  value {text} NOT NULL,
  PRIMARY KEY (workspace, model_id, name)
);
CREATE TABLE version_tag (
  workspace {text} NOT NULL,
  model_id BIGINT NOT NULL,
  version BIGINT NOT NULL,
  name {text} NOT NULL,
  value {text} NOT NULL,
  PRIMARY KEY (workspace, model_id, version, name)
);
CREATE TABLE version_dataset (
  workspace {text} NOT NULL,
  model_id BIGINT NOT NULL,
  version BIGINT NOT NULL,
  name {text} NOT NULL,
  digest {text} NOT NULL,
  context {text} NOT NULL,
  PRIMARY KEY (workspace, model_id, version, name, digest, context)
);

CREATE TABLE model_alias (
  workspace {text} NOT NULL,
  model_id BIGINT NOT NULL,
  alias {text} NOT NULL,
  version BIGINT NOT NULL,
  seq BIGINT NOT NULL,
  revision BIGINT NOT NULL,
  PRIMARY KEY (workspace, model_id, alias)
);
CREATE INDEX model_alias_version ON model_alias (workspace, model_id, version);
CREATE TABLE alias_history (
  workspace {text} NOT NULL,
  model_id BIGINT NOT NULL,
  alias {text} NOT NULL,
  seq BIGINT NOT NULL,
  action BIGINT NOT NULL,
  from_version BIGINT NOT NULL,
  to_version BIGINT NOT NULL,
  author {text} NOT NULL,
  reason {text} NOT NULL,
  at BIGINT NOT NULL,
  revision BIGINT NOT NULL,
  PRIMARY KEY (workspace, model_id, alias, seq)
);

CREATE TABLE audit_event (
  workspace {text} NOT NULL,
  seq BIGINT NOT NULL,
  prev_hash {text} NOT NULL,
  hash {text} NOT NULL,
  event {text} NOT NULL,
  PRIMARY KEY (workspace, seq)
);
)";

constexpr std::array<std::string_view, 1> kSteps = {kTables};

}  // namespace

const store::Schema& catalog_schema() {
  static constexpr store::Schema kSchema{"registry", kSteps};
  return kSchema;
}

}  // namespace cortex::registry
