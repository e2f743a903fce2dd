// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "base/check.h"
#include "registry/complete_config.h"
#include "registry/model_config_reader.h"
#include "registry/registry_policy.h"

namespace cortex::fuzz {

// What must hold for every configuration that was read, and that using it ends without harm.
inline void check_config(const Result<registry::ConfigText>& read) {
  if (!read.ok()) {
    CHECK(read.status().code() == Code::kInvalidArgument, "a bad text is its owner's fault");
    CHECK(!read.status().text().empty(), "a refusal has a reason");
    return;
  }
  const ModelConfig& config = read->config;
  CHECK(config.max_batch_size <= (1U << 20) && config.instances <= 1024, "numbers are bounded");
  CHECK(config.latest_versions >= 1, "the policy serves a version");
  CHECK(
      config.default_filename.empty() || registry::is_inner_path(config.default_filename),
      "files stay inside"
  );
  const std::vector<std::int64_t> versions{1, 2, 3};
  CHECK(registry::select_versions(config, versions).size() <= 3, "only versions that are there");
  ModelSignature signature;
  signature.inputs = {{"x", DataType::kFp32, {-1, -1}, false}};
  signature.outputs = {{"y", DataType::kFp32, {-1, 4}, false}};
  const auto completed = registry::complete_config(config, signature);
  if (completed.ok())
    CHECK(!completed->inputs.empty(), "a completed configuration names its inputs");
}

}  // namespace cortex::fuzz
