// SPDX-License-Identifier: Apache-2.0
#include "frontend/codec/oip/statistics_document.h"

#include <boost/json.hpp>

namespace cortex::frontend::oip {
namespace {

namespace json = boost::json;

json::object tally_object(const Tally& tally) {
  return {{"count", tally.count}, {"ns", tally.nanoseconds}};
}

json::object model_object(const ModelStatistics& model) {
  return {
      {"name", model.model.name},
      {"version", model.model.version},
      {"last_inference", model.last_inference_ms},
      {"inference_count", model.rows},
      {"execution_count", model.executions},
      {"inference_stats",
       {
           {"success", tally_object(model.success)},
           {"fail", tally_object(model.fail)},
           {"queue", tally_object(model.queue)},
           {"compute_input", tally_object(model.compute_input)},
           {"compute_infer", tally_object(model.compute_infer)},
           {"compute_output", tally_object(model.compute_output)},
           {"cache_hit", tally_object({})},
           {"cache_miss", tally_object({})},
       }},
      {"batch_stats", json::array()},
  };
}

}  // namespace

std::string statistics_document(std::span<const ModelStatistics> statistics) {
  json::array models;
  for (const ModelStatistics& model : statistics) models.push_back(model_object(model));
  return json::serialize(json::object{{"model_stats", std::move(models)}});
}

}  // namespace cortex::frontend::oip
