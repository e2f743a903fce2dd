// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

#include "base/status.h"
#include "request/language_controls.h"

namespace cortex::frontend::prefixes {

// Reads the body that names a prefix: `name` with `messages` (and `tools`) or `prompt`, and perhaps
// `adapter`, `adapter_scale`, `cache_salt`. Whose it is, is not read. kInvalidArgument names the
// field; one that is not known is refused. The text is followed by Buffer::kPadding readable bytes.
[[nodiscard]] Result<PrefixRequest> read_prefix(std::string_view padded_body);

}  // namespace cortex::frontend::prefixes
