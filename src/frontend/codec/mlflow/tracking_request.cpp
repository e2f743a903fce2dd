// SPDX-License-Identifier: Apache-2.0
#include "frontend/codec/mlflow/tracking_request.h"

#include <array>

#include "tracking/experiments.h"
#include "tracking/validation.h"

namespace cortex::frontend::mlflow {

std::string read_run_id(const Fields& fields) {
  if (!fields.has("run_id") && fields.has("run_uuid")) return fields.required_text("run_uuid");
  return fields.required_text("run_id");
}

Result<std::int64_t> read_experiment_id(const Fields& fields, bool required) {
  const std::string text =
      required ? fields.required_text("experiment_id") : fields.text("experiment_id");
  CORTEX_RETURN_IF_ERROR(fields.status());
  if (text.empty()) return tracking::kDefaultExperiment;
  return tracking::parse_experiment_id(text);
}

Result<std::vector<std::int64_t>> read_experiment_ids(const Fields& fields) {
  std::vector<std::int64_t> ids;
  for (const std::string& text : fields.texts("experiment_ids")) {
    CORTEX_ASSIGN_OR_RETURN(const std::int64_t id, tracking::parse_experiment_id(text));
    ids.push_back(id);
  }
  return ids;
}

std::vector<tracking::Tag> read_pairs(const Fields& fields, std::string_view name) {
  std::vector<tracking::Tag> pairs;
  pairs.reserve(fields.count(name));
  for_each_message(fields, name, [&](const Fields& pair) {
    pairs.push_back({pair.required_text("key"), pair.text("value")});
  });
  return pairs;
}

tracking::Metric read_metric(const Fields& fields) {
  tracking::Metric metric;
  metric.key = fields.required_text("key");
  metric.value = fields.required_real("value");
  metric.timestamp = fields.required_integer("timestamp");
  metric.step = fields.integer("step").value_or(0);
  metric.model_id = fields.text("model_id");
  metric.dataset_name = fields.text("dataset_name");
  metric.dataset_digest = fields.text("dataset_digest");
  return metric;
}

tracking::ViewType read_view(const Fields& fields, std::string_view name) {
  static constexpr std::array<std::string_view, 3> kViews = {"ACTIVE_ONLY", "DELETED_ONLY", "ALL"};
  return static_cast<tracking::ViewType>(fields.choice(name, kViews).value_or(1) - 1);
}

Result<std::size_t> read_page_size(const Fields& fields, std::size_t standard) {
  const auto asked = fields.integer("max_results");
  if (!asked) return standard;
  CORTEX_RETURN_IF_ERROR(tracking::check_page_size(*asked));
  return static_cast<std::size_t>(*asked);
}

}  // namespace cortex::frontend::mlflow
