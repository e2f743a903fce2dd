// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "registry/catalog/model_version.h"

namespace cortex::registry {

// What is known of a version elsewhere: parameters and metrics of its run or logged model.
struct VersionFacts {
  std::map<std::string, std::string> parameters;
  std::map<std::string, double> metrics;
};

// A field, tag or parameter that is not the same; nullopt where one side has none.
struct TextDifference {
  std::string name;
  std::optional<std::string> left;
  std::optional<std::string> right;
};

struct MetricDifference {
  std::string name;
  std::optional<double> left;
  std::optional<double> right;
  double delta = 0;  // right - left; a missing side counts as 0
};

struct VersionDifference {
  std::vector<TextDifference> fields;  // source, location, run, stage, semantic, …; differing ones
  std::vector<TextDifference> tags;
  std::vector<TextDifference> parameters;
  std::vector<MetricDifference> metrics;  // the union, also equal ones
  std::vector<std::string> aliases_left;  // on the left alone
  std::vector<std::string> aliases_right;
  bool improved = false;  // accuracy, precision, recall, f1_score or auc is greater on the right
};

// What is not the same in both, in the order of the names.
[[nodiscard]] std::vector<TextDifference> compare_texts(
    const std::map<std::string, std::string>& left, const std::map<std::string, std::string>& right
);

// Each list in the order of its names.
[[nodiscard]] VersionDifference compare_versions(
    const ModelVersion& left,
    const VersionFacts& left_facts,
    const ModelVersion& right,
    const VersionFacts& right_facts
);

}  // namespace cortex::registry
