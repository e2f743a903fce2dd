// SPDX-License-Identifier: Apache-2.0
#include "registry/signing/detail/strict_json.h"

#include <boost/json/value.hpp>

#include "base/json_value.h"
#include "registry/catalog/canonical_json.h"

namespace cortex::registry {
namespace {

namespace json = boost::json;

constexpr std::size_t kStrictDepthMax = 64;

const json::value* find(const json::object& in, std::string_view name) {
  return in.if_contains({name.data(), name.size()});
}

}  // namespace

Result<json::object> parse_strict_object(std::string_view text, std::string_view what) {
  const auto canonical = canonical_json(text);
  if (!canonical.ok()) return canonical.status().with_prefix(std::string(what) + ": ");
  auto value = parse_json_value(text, kStrictDepthMax);
  if (!value.ok() || !value->is_object()) {
    return invalid_argument(std::string(what) + " is not a JSON object");
  }
  return std::move(value->get_object());
}

const json::object* find_object(const json::object& in, std::string_view name) {
  const json::value* value = find(in, name);
  return value == nullptr ? nullptr : value->if_object();
}

const json::array* find_array(const json::object& in, std::string_view name) {
  const json::value* value = find(in, name);
  return value == nullptr ? nullptr : value->if_array();
}

std::optional<std::string> find_text(const json::object& in, std::string_view name) {
  const json::value* value = find(in, name);
  const json::string* text = value == nullptr ? nullptr : value->if_string();
  if (text == nullptr) return std::nullopt;
  return std::string(text->data(), text->size());
}

}  // namespace cortex::registry
