// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "base/status.h"
#include "tracking/entities.h"

namespace cortex::tracking {

// The limits of MLflow's tracking, in characters, and its words for what breaks them. All answer
// kInvalidArgument. Pure.

inline constexpr std::size_t kKeyCharactersLimit = 250;
inline constexpr std::size_t kParamCharactersLimit = 6000;
inline constexpr std::size_t kTagCharactersLimit = 8000;
inline constexpr std::size_t kExperimentTagCharactersLimit = 20000;
inline constexpr std::size_t kExperimentNameCharactersLimit = 500;
inline constexpr std::size_t kBatchMetricsLimit = 1000;
inline constexpr std::size_t kBatchParamsLimit = 100;
inline constexpr std::size_t kBatchTagsLimit = 100;
inline constexpr std::size_t kBatchLimit = 1000;

[[nodiscard]] std::size_t count_characters(std::string_view utf8);
// Cuts a text behind `limit` characters.
void truncate_characters(std::string& utf8, std::size_t limit);

// Names of metrics, params and tags: letters, digits, "_-. :/" and no path that would resolve to
// another one. `path` names the field in the error ("metrics[3].name").
[[nodiscard]] Status check_name(std::string_view name, std::string_view path);
[[nodiscard]] Status check_length(std::string_view what, std::string_view text, std::size_t limit);

[[nodiscard]] Status check_experiment_name(std::string_view name);
[[nodiscard]] Status check_experiment_tag(const Tag& tag);
[[nodiscard]] Status check_metric(const Metric& metric, std::string_view path);
// These cut a value that is too long, as MLflow does.
[[nodiscard]] Status check_param(Param& param, std::string_view path);
[[nodiscard]] Status check_run_tag(Tag& tag, std::string_view path);

[[nodiscard]] Status check_dataset(const DatasetInput& input);
[[nodiscard]] Status check_model_name(std::string_view name);

// "metrics[3].name", or "name" without a list.
[[nodiscard]] std::string field_path(std::string_view list, std::string_view field);

// A page holds between 1 and `limit` rows.
[[nodiscard]] Status check_page_size(std::int64_t rows, std::int64_t limit = 50000);

}  // namespace cortex::tracking
