// SPDX-License-Identifier: Apache-2.0
#include "registry/catalog/version_difference.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <set>
#include <string_view>

namespace cortex::registry {
namespace {

using Texts = std::map<std::string, std::string>;

template <typename T>
std::optional<T> find_in(const std::map<std::string, T>& map, const std::string& name) {
  const auto found = map.find(name);
  return found == map.end() ? std::nullopt : std::optional(found->second);
}

template <typename T>
std::set<std::string> names_of(
    const std::map<std::string, T>& left, const std::map<std::string, T>& right
) {
  std::set<std::string> names;
  for (const auto& [name, value] : left) names.insert(name);
  for (const auto& [name, value] : right) names.insert(name);
  return names;
}

std::string status_text(VersionStatus status) {
  constexpr std::array<std::string_view, 3> kNames = {"pending", "failed", "ready"};
  return std::string(kNames[static_cast<std::size_t>(status)]);
}

std::string id_text(const VersionId& id) { return id.model + "/" + std::to_string(id.version); }

// What a version is, field by field; fields that it does not have are not there.
Texts fields_of(const ModelVersion& version) {
  Texts fields = {
      {"description", version.description},
      {"location", version.location},
      {"logged_model", version.logged_model},
      {"run", version.run},
      {"source", version.source},
      {"stage", std::string(stage_name(version.stage))},
      {"status", status_text(version.status)},
      {"user", version.user},
  };
  std::erase_if(fields, [](const auto& field) { return field.second.empty(); });
  if (version.semantic) fields["semantic"] = to_text(*version.semantic);
  if (version.baseline) fields["baseline"] = id_text(*version.baseline);
  if (version.deprecation) fields["deprecation"] = version.deprecation->reason;
  return fields;
}

std::vector<MetricDifference> compare_metrics(const VersionFacts& left, const VersionFacts& right) {
  std::vector<MetricDifference> out;
  for (const std::string& name : names_of(left.metrics, right.metrics)) {
    MetricDifference difference{name, find_in(left.metrics, name), find_in(right.metrics, name), 0};
    difference.delta = difference.right.value_or(0) - difference.left.value_or(0);
    out.push_back(std::move(difference));
  }
  return out;
}

bool is_improvement(const MetricDifference& difference) {
  constexpr std::array<std::string_view, 5> kBetterWhenGreater = {
      "accuracy", "precision", "recall", "f1_score", "auc"
  };
  const auto& names = kBetterWhenGreater;
  return difference.delta > 0 &&
         std::find(names.begin(), names.end(), difference.name) != names.end();
}

std::vector<std::string> only_in(
    const std::vector<std::string>& these, const std::vector<std::string>& those
) {
  std::vector<std::string> out;
  std::set_difference(
      these.begin(), these.end(), those.begin(), those.end(), std::back_inserter(out)
  );
  return out;
}

}  // namespace

std::vector<TextDifference> compare_texts(const Texts& left, const Texts& right) {
  std::vector<TextDifference> out;
  for (const std::string& name : names_of(left, right)) {
    TextDifference difference{name, find_in(left, name), find_in(right, name)};
    if (difference.left != difference.right) out.push_back(std::move(difference));
  }
  return out;
}

VersionDifference compare_versions(
    const ModelVersion& left,
    const VersionFacts& left_facts,
    const ModelVersion& right,
    const VersionFacts& right_facts
) {
  VersionDifference difference;
  difference.fields = compare_texts(fields_of(left), fields_of(right));
  difference.tags = compare_texts(left.tags, right.tags);
  difference.parameters = compare_texts(left_facts.parameters, right_facts.parameters);
  difference.metrics = compare_metrics(left_facts, right_facts);
  difference.aliases_left = only_in(left.aliases, right.aliases);
  difference.aliases_right = only_in(right.aliases, left.aliases);
  difference.improved =
      std::any_of(difference.metrics.begin(), difference.metrics.end(), is_improvement);
  return difference;
}

}  // namespace cortex::registry
