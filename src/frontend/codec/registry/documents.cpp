// SPDX-License-Identifier: Apache-2.0
#include "frontend/codec/registry/documents.h"

#include <array>
#include <cmath>
#include <span>

#include <boost/json.hpp>

#include "store/artifact_digest.h"

namespace cortex::frontend::registry_api {
namespace {

namespace json = boost::json;

constexpr std::size_t kTagDigits = 32;

void put_text(json::object& out, std::string_view name, const std::string& value) {
  if (!value.empty()) out.emplace(name, value);
}

json::object texts(const registry::Tags& tags) {
  json::object out;
  for (const auto& [key, value] : tags) out.emplace(key, value);
  return out;
}

json::array names(const std::vector<std::string>& all) {
  return json::array(all.begin(), all.end());
}

std::string_view status_name(registry::VersionStatus status) {
  constexpr std::array<std::string_view, 3> kNames = {"pending", "failed", "ready"};
  return kNames[static_cast<std::size_t>(status)];
}

json::value text_value(const std::optional<std::string>& value) {
  return value ? json::value(*value) : json::value();
}

// JSON has no word for NaN and the infinities.
json::value number_value(const std::optional<double>& value) {
  return value && std::isfinite(*value) ? json::value(*value) : json::value();
}

json::array metrics_of(const registry::VersionDifference& difference) {
  json::array out;
  for (const registry::MetricDifference& metric : difference.metrics) {
    out.push_back(json::object{
        {"name", metric.name},
        {"left", number_value(metric.left)},
        {"right", number_value(metric.right)},
        {"delta", number_value(metric.delta)},
    });
  }
  return out;
}

}  // namespace

json::object to_json(const registry::RegisteredModel& model) {
  json::object aliases;
  for (const auto& [alias, version] : model.aliases) aliases.emplace(alias, version);
  json::object out{{"name", model.name}};
  put_text(out, "description", model.description);
  out.emplace("tags", texts(model.tags));
  out.emplace("aliases", std::move(aliases));
  out.emplace("created_at", model.created_at);
  put_text(out, "created_by", model.user);
  out.emplace("updated_at", model.updated_at);
  out.emplace("revision", model.revision);
  return out;
}

json::object to_json(const registry::VersionId& id) {
  return {{"model", id.model}, {"version", id.version}};
}

json::object to_json(const registry::ModelVersion& version) {
  json::object out = to_json(version.id);
  if (version.semantic) out.emplace("semantic_version", registry::to_text(*version.semantic));
  out.emplace("status", status_name(version.status));
  put_text(out, "status_message", version.status_message);
  out.emplace("stage", registry::stage_name(version.stage));
  put_text(out, "description", version.description);
  out.emplace("source", version.source);
  put_text(out, "run", version.run);
  put_text(out, "run_link", version.run_link);
  put_text(out, "logged_model", version.logged_model);
  out.emplace("tags", texts(version.tags));
  out.emplace("aliases", names(version.aliases));
  if (version.baseline) out.emplace("baseline", to_json(*version.baseline));
  if (version.deprecation) {
    json::object deprecation{{"at", version.deprecation->at}};
    put_text(deprecation, "by", version.deprecation->user);
    put_text(deprecation, "reason", version.deprecation->reason);
    out.emplace("deprecated", std::move(deprecation));
  }
  out.emplace("created_at", version.created_at);
  put_text(out, "created_by", version.user);
  out.emplace("updated_at", version.updated_at);
  return out;
}

json::object to_json(const registry::AliasEntry& entry) {
  json::object out{
      {"model", entry.model},
      {"alias", entry.alias},
      {"seq", entry.seq},
      {"action", registry::alias_action_name(entry.action)},
      {"from", entry.from == 0 ? json::value() : json::value(entry.from)},
      {"to", entry.to == 0 ? json::value() : json::value(entry.to)},
      {"at", entry.at},
      {"revision", entry.revision},
  };
  put_text(out, "by", entry.user);
  put_text(out, "reason", entry.reason);
  return out;
}

json::object to_json(const registry::AuditRow& row) {
  return {
      {"seq", row.seq},
      {"prev_hash", row.prev_hash},
      {"hash", row.hash},
      {"event", row.event},
  };
}

json::object to_json(const registry::LineageLink& link) {
  json::object out = to_json(link.id);
  put_text(out, "run", link.run);
  put_text(out, "logged_model", link.logged_model);
  json::array datasets;
  for (const registry::VersionDataset& dataset : link.datasets) {
    json::object one{{"name", dataset.name}, {"digest", dataset.digest}};
    put_text(one, "context", dataset.context);
    datasets.push_back(std::move(one));
  }
  out.emplace("datasets", std::move(datasets));
  if (link.baseline) out.emplace("baseline", to_json(*link.baseline));
  if (link.deleted) out.emplace("deleted", true);
  return out;
}

json::array to_json(const std::vector<registry::TextDifference>& differences) {
  json::array out;
  for (const registry::TextDifference& difference : differences) {
    out.push_back(json::object{
        {"name", difference.name},
        {"left", text_value(difference.left)},
        {"right", text_value(difference.right)},
    });
  }
  return out;
}

json::object to_json(const registry::VersionDifference& difference) {
  return {
      {"fields", to_json(difference.fields)},
      {"tags", to_json(difference.tags)},
      {"parameters", to_json(difference.parameters)},
      {"metrics", metrics_of(difference)},
      {"aliases_left", names(difference.aliases_left)},
      {"aliases_right", names(difference.aliases_right)},
      {"improved", difference.improved},
  };
}

std::string tag_of(std::string_view body) {
  store::Digest digest;
  digest.add(std::as_bytes(std::span<const char>(body.data(), body.size())));
  return digest.finish().substr(0, kTagDigits);
}

void say(Answer& answer, const json::object& document) { answer.body = json::serialize(document); }

void say_entity(Answer& answer, const json::object& document) {
  say(answer, document);
  answer.tag = tag_of(answer.body);
}

Status check_tag(
    const Precondition& precondition, const std::optional<std::string>& tag, Answer& answer
) {
  if (precondition.allows(tag)) return {};
  answer.status = 412;
  answer.tag = tag.value_or("");
  const std::string found = tag ? "its tag is \"" + *tag + "\"" : std::string("there is none");
  return {Code::kAborted, "If-Match or If-None-Match does not hold: " + found};
}

Status check_entity(
    const Precondition& precondition, const json::object& document, Answer& answer
) {
  if (!precondition.asked()) return {};
  return check_tag(precondition, tag_of(json::serialize(document)), answer);
}

std::string model_path(std::string_view model) {
  std::string out = "/api/v2/registry/models/";
  append_segment(out, model);
  return out;
}

std::string version_path(const registry::VersionId& id) {
  return model_path(id.model) + "/versions/" + std::to_string(id.version);
}

}  // namespace cortex::frontend::registry_api
