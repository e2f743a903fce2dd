// SPDX-License-Identifier: Apache-2.0
#include "registry/remote/remote_selection.h"

#include <algorithm>
#include <charconv>

#include "request/model_reference.h"

namespace cortex::registry {
namespace {

std::int64_t newest_in(const RemoteModel& model, std::string_view stage) {
  std::int64_t out = 0;
  for (const RemoteVersion& version : model.latest) {
    if (version.ready && (stage.empty() || version.stage == stage)) {
      out = std::max(out, version.number);
    }
  }
  return out;
}

}  // namespace

Result<std::map<std::string, RemoteSelection>> parse_selections(
    std::span<const std::string> references
) {
  std::map<std::string, RemoteSelection> out;
  for (const std::string& text : references) {
    const auto reference = ModelReference::parse(text);
    if (!reference.ok()) return reference.status().with_prefix("'" + text + "': ");
    if (!reference->adapter.empty()) return invalid_argument("'" + text + "': names an adapter");
    RemoteSelection& selection = out[reference->name];
    if (!reference->alias.empty()) {
      selection.aliases.insert(reference->alias);
    } else if (reference->version.empty()) {
      selection.newest = true;
    } else {
      std::int64_t number = 0;
      const std::string& digits = reference->version;
      std::from_chars(digits.data(), digits.data() + digits.size(), number);
      if (number <= 0) return invalid_argument("'" + text + "': no such version can be");
      selection.versions.insert(number);
    }
  }
  return out;
}

RemoteChoice choose(const RemoteSelection& selection, const RemoteModel& model) {
  RemoteChoice out;
  out.versions = selection.versions;
  for (const std::string& alias : selection.aliases) {
    const bool is_stage = alias.front() == '/';
    const auto found = model.aliases.find(alias);
    const std::int64_t version = is_stage                       ? newest_in(model, alias.substr(1))
                                 : found != model.aliases.end() ? found->second
                                                                : 0;
    if (version > 0) out.aliases[alias] = version;
    if (version > 0) out.versions.insert(version);
  }
  const std::int64_t newest = selection.newest ? newest_in(model, "") : 0;
  if (newest > 0) out.versions.insert(newest);
  return out;
}

}  // namespace cortex::registry
