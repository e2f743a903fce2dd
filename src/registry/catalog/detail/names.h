// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "base/status.h"
#include "registry/catalog/registered_model.h"

namespace cortex::registry {

// What clients may call things; the texts are the ones that clients of MLflow know.
[[nodiscard]] Status check_model_name(const std::string& name);
[[nodiscard]] Status check_alias_name(const std::string& alias);
// "latest" or "v3", which read as versions.
[[nodiscard]] bool is_reserved_alias(const std::string& alias);
[[nodiscard]] bool is_latest(const std::string& alias);
[[nodiscard]] Status check_tag(const std::string& key, const std::string& value);
[[nodiscard]] Status check_tags(const Tags& tags);
[[nodiscard]] Status check_description(const std::string& description);

}  // namespace cortex::registry
