// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

#include "base/status.h"
#include "registry/registry.h"

namespace cortex::frontend::oip {

// The bodies of the model repository extension. An empty body is an empty object. Pure.

// {"ready": bool}: list ready versions alone.
[[nodiscard]] Result<bool> read_index_request(std::string_view body);

// {"parameters": {"config": "<model configuration as JSON>"}}. Files in the request ("file:…") are
// refused.
[[nodiscard]] Result<registry::LoadOverride> read_load_request(std::string_view body);

// {"parameters": {"unload_dependents": bool}}: checked and without effect, as nothing depends on a
// model yet.
[[nodiscard]] Status check_unload_request(std::string_view body);

}  // namespace cortex::frontend::oip
