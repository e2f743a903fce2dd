// SPDX-License-Identifier: Apache-2.0
#include "frontend/codec/mlflow/registry_reply.h"

namespace cortex::frontend::mlflow {
namespace {

using registry::ModelVersion;

std::string_view status_text(registry::VersionStatus status) {
  switch (status) {
    case registry::VersionStatus::kPending:
      return "PENDING_REGISTRATION";
    case registry::VersionStatus::kFailed:
      return "FAILED_REGISTRATION";
    case registry::VersionStatus::kReady:
      return "READY";
  }
  return "READY";
}

void write_tags(JsonWriter& writer, const registry::Tags& tags) {
  if (tags.empty()) return;
  writer.open_list("tags");
  for (const auto& [key, value] : tags) {
    writer.open_object();
    writer.text("key", key);
    writer.text("value", value);
    writer.close_object();
  }
  writer.close_list();
}

// Of a model: alias and version; of a version: the bare names.
void write_model_aliases(JsonWriter& writer, const registry::RegisteredModel& model) {
  if (model.aliases.empty()) return;
  writer.open_list("aliases");
  for (const auto& [alias, version] : model.aliases) {
    writer.open_object();
    writer.text("alias", alias);
    writer.text("version", std::to_string(version));
    writer.close_object();
  }
  writer.close_list();
}

void write_version_aliases(JsonWriter& writer, const ModelVersion& version) {
  if (version.aliases.empty()) return;
  writer.open_list("aliases");
  for (const std::string& alias : version.aliases) writer.text({}, alias);
  writer.close_list();
}

}  // namespace

void write_registered_model(
    JsonWriter& writer,
    std::string_view key,
    const registry::RegisteredModel& model,
    std::span<const ModelVersion> latest
) {
  writer.open_object(key);
  writer.text("name", model.name);
  writer.integer("creation_timestamp", model.created_at);
  writer.integer("last_updated_timestamp", model.updated_at);
  writer.text_if("user_id", model.user);
  writer.text_if("description", model.description);
  if (!latest.empty()) {
    writer.open_list("latest_versions");
    for (const ModelVersion& version : latest) write_model_version(writer, {}, version);
    writer.close_list();
  }
  write_tags(writer, model.tags);
  write_model_aliases(writer, model);
  writer.close_object();
}

void write_model_version(JsonWriter& writer, std::string_view key, const ModelVersion& version) {
  writer.open_object(key);
  writer.text("name", version.id.model);
  writer.text("version", std::to_string(version.id.version));
  writer.integer("creation_timestamp", version.created_at);
  writer.integer("last_updated_timestamp", version.updated_at);
  writer.text_if("user_id", version.user);
  writer.text("current_stage", registry::stage_name(version.stage));
  writer.text_if("description", version.description);
  writer.text("source", version.source);
  writer.text_if("run_id", version.run);
  writer.text("status", status_text(version.status));
  writer.text_if("status_message", version.status_message);
  write_tags(writer, version.tags);
  writer.text_if("run_link", version.run_link);
  write_version_aliases(writer, version);
  writer.text_if("model_id", version.logged_model);
  writer.close_object();
}

void reply_model_version(std::string& body, const ModelVersion& version) {
  JsonWriter writer(body);
  writer.open_object();
  write_model_version(writer, "model_version", version);
  writer.close_object();
}

void reply_model_versions(
    std::string& body, std::span<const ModelVersion> versions, std::string_view next_page_token
) {
  JsonWriter writer(body);
  writer.open_object();
  writer.open_list("model_versions");
  for (const ModelVersion& version : versions) write_model_version(writer, {}, version);
  writer.close_list();
  writer.text_if("next_page_token", next_page_token);
  writer.close_object();
}

}  // namespace cortex::frontend::mlflow
