// SPDX-License-Identifier: Apache-2.0
#include "frontend/codec/mlflow/registry_request.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <string_view>

#include "base/clock.h"
#include "base/json_text.h"

namespace cortex::frontend::mlflow {
namespace {

constexpr std::size_t kReasonBytesMax = 1000;

// Text that is no UTF-8 or holds what no database keeps is left out: the change is what counts.
std::string read_reason(const HttpRequest& request) {
  std::string_view reason = request.header("x-cortex-reason").substr(0, kReasonBytesMax);
  // The cut may have split a character.
  while (!reason.empty() && !is_utf8(reason)) reason.remove_suffix(1);
  return reason.find('\0') == std::string_view::npos ? std::string(reason) : std::string();
}

}  // namespace

registry::Authorship read_author(const Call& call) {
  return {call.workspace, call.http.principal.key, read_reason(call.http), unix_milliseconds()};
}

Result<registry::VersionId> read_version_id(const Fields& fields) {
  registry::VersionId id;
  id.model = fields.required_text("name");
  const std::string text = fields.required_text("version");
  CORTEX_RETURN_IF_ERROR(fields.status());
  const auto read = std::from_chars(text.data(), text.data() + text.size(), id.version);
  if (read.ec != std::errc() || read.ptr != text.data() + text.size()) {
    return invalid_argument(
        "Invalid value \"" + text + "\" for parameter 'version' supplied: Value must be an integer."
    );
  }
  return id;
}

registry::Tags read_tags(const Fields& fields) {
  registry::Tags tags;
  for_each_message(fields, "tags", [&tags](const Fields& tag) {
    tags[tag.required_text("key")] = tag.text("value");
  });
  return tags;
}

Result<registry::CatalogQuery> read_query(
    const Fields& fields, std::size_t standard, std::size_t limit
) {
  registry::CatalogQuery query;
  query.filter = fields.text("filter");
  query.order_by = fields.texts("order_by");
  query.page_token = fields.text("page_token");
  const std::int64_t asked =
      fields.integer("max_results").value_or(static_cast<std::int64_t>(standard));
  if (asked < 1) {
    return invalid_argument(
        "Invalid value for max_results. It must be a positive integer, but got " +
        std::to_string(asked)
    );
  }
  if (asked > static_cast<std::int64_t>(limit)) {
    return invalid_argument(
        "Invalid value for request parameter max_results. It must be at most " +
        std::to_string(limit) + ", but got value " + std::to_string(asked)
    );
  }
  query.limit = static_cast<std::size_t>(asked);
  return query;
}

bool is_prompt(const registry::Tags& tags) {
  const auto found = tags.find("mlflow.prompt.is_prompt");
  if (found == tags.end()) return false;
  constexpr std::string_view kTrue = "true";
  const std::string& value = found->second;
  return std::equal(value.begin(), value.end(), kTrue.begin(), kTrue.end(), [](char a, char b) {
    return (a >= 'A' && a <= 'Z' ? static_cast<char>(a - 'A' + 'a') : a) == b;
  });
}

}  // namespace cortex::frontend::mlflow
