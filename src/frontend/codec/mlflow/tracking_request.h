// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "frontend/codec/mlflow/wire.h"
#include "tracking/entities.h"

namespace cortex::frontend::mlflow {

// What several routes of tracking read alike. Faults are kept by the fields, or returned where a
// value is needed to go on.

// run_id, or its old name run_uuid.
[[nodiscard]] std::string read_run_id(const Fields& fields);
// experiment_id; empty stands for the default one unless it is required.
[[nodiscard]] Result<std::int64_t> read_experiment_id(const Fields& fields, bool required);
[[nodiscard]] Result<std::vector<std::int64_t>> read_experiment_ids(const Fields& fields);
// tags, params: {key, value} each, where the key must be there.
[[nodiscard]] std::vector<tracking::Tag> read_pairs(const Fields& fields, std::string_view name);
[[nodiscard]] tracking::Metric read_metric(const Fields& fields);
[[nodiscard]] tracking::ViewType read_view(const Fields& fields, std::string_view name);
// max_results, `standard` when unset; 1 to 50000.
[[nodiscard]] Result<std::size_t> read_page_size(const Fields& fields, std::size_t standard);

}  // namespace cortex::frontend::mlflow
