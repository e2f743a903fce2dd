// SPDX-License-Identifier: Apache-2.0
#include "frontend/codec/registry/precondition.h"

#include <algorithm>
#include <optional>
#include <string_view>
#include <utility>

namespace cortex::frontend::registry_api {
namespace {

constexpr std::size_t kTagsMax = 100;

void skip_blanks(std::string_view& text) {
  while (text.starts_with(' ') || text.starts_with('\t')) text.remove_prefix(1);
}

Status malformed() {
  return invalid_argument("If-Match and If-None-Match are * or a list of \"tags\" in quotes");
}

// nullopt: the header is not there.
Result<std::optional<std::string_view>> only_line(
    const HttpRequest& request, std::string_view name
) {
  std::optional<std::string_view> out;
  for (const auto& [header, value] : request.headers) {
    if (header != name) continue;
    if (out) return invalid_argument("If-Match and If-None-Match stand in one line each");
    out = value;
  }
  return out;
}

bool contains(const std::vector<std::string>& tags, const std::string& tag) {
  return std::find(tags.begin(), tags.end(), tag) != tags.end();
}

}  // namespace

Result<Precondition::Tags> Precondition::read_tags(std::string_view header, bool weak_count) {
  Tags out;
  skip_blanks(header);
  if (header.empty()) return malformed();
  out.given = true;
  if (header == "*") {
    out.any = true;
    return out;
  }
  while (!header.empty()) {
    const bool weak = header.starts_with("W/");
    if (weak) header.remove_prefix(2);
    if (!header.starts_with('"')) return malformed();
    const std::size_t end = header.find('"', 1);
    if (end == std::string_view::npos || out.known.size() == kTagsMax) return malformed();
    if (!weak || weak_count) out.known.emplace_back(header.substr(1, end - 1));
    header.remove_prefix(end + 1);
    skip_blanks(header);
    if (!header.empty() && !header.starts_with(',')) return malformed();
    if (!header.empty()) header.remove_prefix(1);
    skip_blanks(header);
  }
  return out;
}

Result<Precondition> Precondition::read(const HttpRequest& request) {
  Precondition out;
  CORTEX_ASSIGN_OR_RETURN(const auto match, only_line(request, "if-match"));
  if (match) {
    CORTEX_ASSIGN_OR_RETURN(out.match_, read_tags(*match, false));
  }
  CORTEX_ASSIGN_OR_RETURN(const auto none_match, only_line(request, "if-none-match"));
  if (none_match) {
    CORTEX_ASSIGN_OR_RETURN(out.none_match_, read_tags(*none_match, true));
  }
  return out;
}

Status Precondition::refuse() const {
  if (!asked()) return {};
  return invalid_argument("If-Match and If-None-Match: what is changed here has no entity tag");
}

bool Precondition::allows(const std::optional<std::string>& tag) const {
  if (match_.given && (!tag || !(match_.any || contains(match_.known, *tag)))) return false;
  return !none_match_.given || !tag || !(none_match_.any || contains(none_match_.known, *tag));
}

bool Precondition::is_known(const std::string& tag) const {
  return none_match_.given && (none_match_.any || contains(none_match_.known, tag));
}

}  // namespace cortex::frontend::registry_api
