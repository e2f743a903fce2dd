// SPDX-License-Identifier: Apache-2.0
#include "frontend/codec/registry/fields.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <set>
#include <utility>

#include <boost/json.hpp>

#include "base/json_text.h"
#include "base/json_value.h"
#include "frontend/codec/json_depth.h"
#include "frontend/http/target.h"

namespace cortex::frontend::registry_api {
namespace {

namespace json = boost::json;

constexpr int kDepthMax = 16;
constexpr std::size_t kParametersMax = 64;

std::string_view as_std(json::string_view text) { return {text.data(), text.size()}; }

bool is_json(std::string_view content_type) {
  constexpr std::string_view kJson = "application/json";
  const std::string_view type = content_type.substr(0, content_type.find(';'));
  const auto same = [](char a, char b) { return std::tolower(static_cast<unsigned char>(a)) == b; };
  const std::size_t end = type.find_last_not_of(' ') + 1;
  return std::equal(
      type.begin(),
      type.begin() + static_cast<std::ptrdiff_t>(end),
      kJson.begin(),
      kJson.end(),
      same
  );
}

Result<json::value> parse(std::string_view text) {
  const auto depth_max = static_cast<std::size_t>(std::min(kDepthMax, json_depth_max()));
  auto value = parse_json_value(text, depth_max);
  if (!value.ok()) return value.status().with_prefix("the body is not JSON: ");
  if (!value->is_object()) return invalid_argument("the body is no JSON object");
  return value;
}

}  // namespace

// One object; `whole` keeps what it points into.
struct Fields::Node {
  std::shared_ptr<const json::value> whole;
  const json::object* members = nullptr;
  std::string path;
  std::set<std::string, std::less<>> read;
  std::vector<std::shared_ptr<Node>> children;
  std::shared_ptr<Status> fault;

  // Null for a missing member and for null.
  const json::value* find(std::string_view name) {
    read.emplace(name);
    const json::value* value = members->if_contains({name.data(), name.size()});
    return value == nullptr || value->is_null() ? nullptr : value;
  }
  std::string path_of(std::string_view name) const {
    return path.empty() ? std::string(name) : path + "." + std::string(name);
  }
  void refuse(std::string_view name, std::string_view why) {
    if (fault->ok()) *fault = invalid_argument(path_of(name) + ": " + std::string(why));
  }
  // "" for a fault; a zero byte is one: no database keeps it.
  std::string text_of(std::string_view name, const json::value& value) {
    if (!value.is_string()) return refuse(name, "must be a text"), std::string();
    const std::string_view text = as_std(value.get_string());
    if (text.find('\0') != std::string_view::npos) refuse(name, "holds a zero byte");
    return std::string(text);
  }
  std::shared_ptr<Node> child(const json::object& object, std::string at) {
    auto node = std::make_shared<Node>();
    node->whole = whole;
    node->members = &object;
    node->path = std::move(at);
    node->fault = fault;
    children.push_back(node);
    return node;
  }
  // The first member that nobody read.
  std::string unread() const {
    for (const auto& member : *members) {
      const std::string_view name = as_std(member.key());
      if (read.find(name) == read.end()) return path_of(name);
    }
    for (const auto& node : children) {
      if (std::string found = node->unread(); !found.empty()) return found;
    }
    return {};
  }
};

Result<Fields> Fields::read(const HttpRequest& request) {
  auto node = std::make_shared<Node>();
  node->fault = std::make_shared<Status>();
  json::value value = json::object();
  if (request.body->size() > 0) {
    if (!is_json(request.header("content-type"))) {
      return invalid_argument("the body must be declared as application/json");
    }
    CORTEX_ASSIGN_OR_RETURN(value, parse(request.body->text()));
  }
  node->whole = std::make_shared<const json::value>(std::move(value));
  node->members = &node->whole->get_object();
  return Fields(std::move(node));
}

bool Fields::has(std::string_view name) const {
  node_->read.emplace(name);
  return node_->members->contains({name.data(), name.size()});
}

std::optional<std::string> Fields::text_if(std::string_view name) const {
  const json::value* value = node_->find(name);
  if (value == nullptr) return std::nullopt;
  return node_->text_of(name, *value);
}

std::string Fields::text(std::string_view name) const { return text_if(name).value_or(""); }

std::optional<std::int64_t> Fields::integer(std::string_view name) const {
  const json::value* value = node_->find(name);
  if (value == nullptr) return std::nullopt;
  if (value->is_int64()) return value->get_int64();
  node_->refuse(name, "must be a whole number");
  return std::nullopt;
}

std::optional<bool> Fields::flag_if(std::string_view name) const {
  const json::value* value = node_->find(name);
  if (value == nullptr) return std::nullopt;
  if (value->is_bool()) return value->get_bool();
  node_->refuse(name, "must be true or false");
  return std::nullopt;
}

bool Fields::flag(std::string_view name) const { return flag_if(name).value_or(false); }

std::map<std::string, std::string> Fields::texts(std::string_view name) const {
  std::map<std::string, std::string> out;
  const json::value* value = node_->find(name);
  if (value == nullptr) return out;
  if (!value->is_object()) return node_->refuse(name, "must be an object of texts"), out;
  for (const auto& member : value->get_object()) {
    const std::string key(as_std(member.key()));
    if (key.find('\0') != std::string::npos) node_->refuse(name, "holds a zero byte");
    out[key] = node_->text_of(std::string(name) + "." + key, member.value());
  }
  return out;
}

std::vector<std::string> Fields::text_list(std::string_view name) const {
  std::vector<std::string> out;
  const json::value* value = node_->find(name);
  if (value == nullptr) return out;
  if (!value->is_array()) return node_->refuse(name, "must be a list of texts"), out;
  for (const json::value& item : value->get_array()) {
    const std::string at = std::string(name) + "[" + std::to_string(out.size()) + "]";
    out.push_back(node_->text_of(at, item));
  }
  return out;
}

std::vector<Fields> Fields::items(std::string_view name) const {
  std::vector<Fields> out;
  const json::value* value = node_->find(name);
  if (value == nullptr) return out;
  if (!value->is_array()) return node_->refuse(name, "must be a list"), out;
  std::size_t index = 0;
  for (const json::value& item : value->get_array()) {
    const std::string at = std::string(name) + "[" + std::to_string(index++) + "]";
    if (!item.is_object()) return node_->refuse(at, "must be an object"), out;
    out.push_back(Fields(node_->child(item.get_object(), node_->path_of(at))));
  }
  return out;
}

std::optional<Fields> Fields::object(std::string_view name) const {
  const json::value* value = node_->find(name);
  if (value == nullptr) return std::nullopt;
  if (!value->is_object()) return node_->refuse(name, "must be an object"), std::nullopt;
  return Fields(node_->child(value->get_object(), node_->path_of(name)));
}

std::string Fields::required_text(std::string_view name) const {
  std::string out = text(name);
  if (out.empty()) node_->refuse(name, "is missing");
  return out;
}

std::int64_t Fields::required_integer(std::string_view name) const {
  const auto out = integer(name);
  if (!out) node_->refuse(name, "is missing");
  return out.value_or(0);
}

void Fields::refuse(std::string_view name, std::string_view why) const { node_->refuse(name, why); }

Status Fields::finish() const {
  CORTEX_RETURN_IF_ERROR(*node_->fault);
  const std::string unread = node_->unread();
  if (unread.empty()) return {};
  return invalid_argument("'" + unread.substr(0, 200) + "' is no member of this request");
}

Result<Query> Query::read(std::string_view raw) {
  Query out;
  while (!raw.empty()) {
    const std::size_t end = std::min(raw.find('&'), raw.size());
    std::string part(raw.substr(0, end));
    raw.remove_prefix(std::min(end + 1, raw.size()));
    if (part.empty()) continue;
    if (out.entries_.size() == kParametersMax) {
      return invalid_argument("more than " + std::to_string(kParametersMax) + " parameters");
    }
    std::replace(part.begin(), part.end(), '+', ' ');
    const std::size_t equals = std::min(part.find('='), part.size());
    const std::string_view value = std::string_view(part).substr(std::min(equals + 1, part.size()));
    Entry entry;
    const bool good = percent_decode(std::string_view(part).substr(0, equals), entry.name) &&
                      percent_decode(value, entry.value);
    if (!good || !is_utf8(entry.name) || !is_utf8(entry.value)) {
      return invalid_argument("malformed escape in the query");
    }
    out.entries_.push_back(std::move(entry));
  }
  return out;
}

std::vector<std::string> Query::texts(std::string_view name) {
  std::vector<std::string> out;
  for (Entry& entry : entries_) {
    if (entry.name != name) continue;
    entry.read = true;
    out.push_back(entry.value);
  }
  return out;
}

std::string Query::text(std::string_view name) {
  std::vector<std::string> all = texts(name);
  if (all.size() > 1 && fault_.ok()) {
    fault_ = invalid_argument(std::string(name) + ": is there more than once");
  }
  return all.empty() ? std::string() : std::move(all.front());
}

std::int64_t Query::integer(std::string_view name, const Range& range) {
  const std::string value = text(name);
  if (value.empty()) return range.standard;
  std::int64_t out = 0;
  const auto read = std::from_chars(value.data(), value.data() + value.size(), out);
  const bool whole = read.ec == std::errc() && read.ptr == value.data() + value.size();
  if (whole && out >= range.least && out <= range.most) return out;
  if (fault_.ok()) {
    fault_ = invalid_argument(
        std::string(name) + ": must be a whole number from " + std::to_string(range.least) +
        " to " + std::to_string(range.most)
    );
  }
  return range.standard;
}

Status Query::finish() const {
  CORTEX_RETURN_IF_ERROR(fault_);
  for (const Entry& entry : entries_) {
    if (!entry.read) {
      return invalid_argument("'" + entry.name.substr(0, 200) + "' is no parameter of this path");
    }
  }
  return {};
}

void append_segment(std::string& out, std::string_view text) {
  constexpr std::string_view kHex = "0123456789ABCDEF";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (std::isalnum(byte) != 0 || c == '-' || c == '.' || c == '_' || c == '~') {
      out.push_back(c);
    } else {
      out.append({'%', kHex[byte >> 4], kHex[byte & 15]});
    }
  }
}

}  // namespace cortex::frontend::registry_api
