// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "base/status.h"
#include "request/request.h"

namespace cortex::frontend::rerank {

// What the body of a rerank asks for.
struct RerankCall {
  std::string model;
  RerankInput input;
  std::optional<std::size_t> top;        // results at most, 1 or more; nothing: all
  std::optional<bool> return_documents;  // nothing: as the route does
};

// Documents of one request.
inline constexpr std::size_t kDocumentsMax = 2048;

// Reads a body that is followed by Buffer::kPadding readable bytes. A document is a text, or an
// object that holds it as `text`. kInvalidArgument names the field at fault; docs/rerank.md has the
// table of fields.
[[nodiscard]] Result<RerankCall> read_rerank(std::string_view padded_body);

}  // namespace cortex::frontend::rerank
