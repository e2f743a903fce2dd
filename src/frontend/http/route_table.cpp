// SPDX-License-Identifier: Apache-2.0
#include "frontend/http/route_table.h"

#include <array>
#include <cstddef>
#include <utility>

#include "frontend/http/target.h"

namespace cortex::frontend {
namespace {

constexpr std::size_t kMethods = 7;
constexpr std::array<std::string_view, kMethods> kMethodNames{
    "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"
};

struct Entry {
  const Route* route = nullptr;
  const Api* api = nullptr;
  std::string pattern;
};

// One segment of the paths that are known.
struct Node {
  std::vector<std::pair<std::string, std::unique_ptr<Node>>> literals;
  std::unique_ptr<Node> any;   // {name}
  std::unique_ptr<Node> rest;  // {name*}
  std::array<Entry, kMethods> entries;
  const Api* owner = nullptr;  // the first API with a path through here

  [[nodiscard]] bool has_routes() const {
    for (const Entry& entry : entries) {
      if (entry.route != nullptr) return true;
    }
    return false;
  }
};

enum class Segment { kLiteral, kAny, kRest, kMalformed };

Segment kind_of(std::string_view text) {
  if (text.find_first_of("{}") == std::string_view::npos) return Segment::kLiteral;
  const bool whole = text.size() > 2 && text.front() == '{' && text.back() == '}' &&
                     text.substr(1, text.size() - 2).find_first_of("{}") == std::string_view::npos;
  if (!whole) return Segment::kMalformed;
  return text[text.size() - 2] == '*' ? Segment::kRest : Segment::kAny;
}

// The first segment of `path` ("/a/b" -> "a"), which is then cut off.
std::string_view take_segment(std::string_view& path) {
  path.remove_prefix(1);
  const std::size_t end = path.find('/');
  const std::string_view segment = path.substr(0, end);
  path = end == std::string_view::npos ? std::string_view() : path.substr(end);
  return segment;
}

Node& literal_child(Node& node, std::string_view text) {
  for (auto& [name, child] : node.literals) {
    if (name == text) return *child;
  }
  node.literals.emplace_back(std::string(text), std::make_unique<Node>());
  return *node.literals.back().second;
}

Node& only_child(std::unique_ptr<Node>& child) {
  if (!child) child = std::make_unique<Node>();
  return *child;
}

// The node of a pattern, made where it is missing; null when the pattern is malformed.
Node* plant(Node& root, std::string_view pattern, const Api& api) {
  if (!pattern.starts_with('/')) return nullptr;
  Node* node = &root;
  while (!pattern.empty()) {
    const std::string_view segment = take_segment(pattern);
    const Segment kind = kind_of(segment);
    if (kind == Segment::kMalformed || (kind == Segment::kRest && !pattern.empty())) return nullptr;
    node = kind == Segment::kLiteral ? &literal_child(*node, segment)
                                     : &only_child(kind == Segment::kAny ? node->any : node->rest);
    if (node->owner == nullptr) node->owner = &api;
  }
  return node;
}

std::string describe(const Entry& entry) {
  return std::string(entry.api->name) + " (" + entry.pattern + ")";
}

std::string plant_route(Node& root, const Api& api, const Route& route) {
  Entry entry{&route, &api, api.prefix + std::string(route.pattern)};
  Node* node = plant(root, entry.pattern, api);
  if (node == nullptr) return "malformed pattern of " + describe(entry);
  Entry& place = node->entries[static_cast<std::size_t>(route.method)];
  if (place.route != nullptr) {
    return std::string(method_name(route.method)) + " belongs to " + describe(place) + " and to " +
           describe(entry);
  }
  place = std::move(entry);
  return {};
}

// Where a walk ended and what it saw on the way.
struct Walk {
  const Node* found = nullptr;
  const Api* owner = nullptr;
  std::size_t owner_depth = 0;
  bool bad_escape = false;
  std::vector<std::string> values;
};

bool descend(const Node& node, std::string_view path, std::size_t depth, Walk& walk);

bool descend_into(const Node& child, std::string_view rest, std::size_t depth, Walk& walk) {
  if (child.owner != nullptr && depth > walk.owner_depth) {
    walk.owner = child.owner;
    walk.owner_depth = depth;
  }
  return descend(child, rest, depth, walk);
}

bool descend_with_value(
    const Node& child, std::string_view value, std::string_view rest, std::size_t depth, Walk& walk
) {
  std::string decoded;
  if (!percent_decode(value, decoded)) {
    walk.bad_escape = true;
    return false;
  }
  walk.values.push_back(std::move(decoded));
  if (descend_into(child, rest, depth, walk)) return true;
  walk.values.pop_back();
  return false;
}

bool literal_matches(std::string_view name, std::string_view segment) {
  if (name == segment) return true;
  if (segment.find('%') == std::string_view::npos) return false;
  std::string decoded;
  return percent_decode(segment, decoded) && decoded == name;
}

// Depth is bounded by the deepest pattern: the walk follows nodes alone.
bool descend(const Node& node, std::string_view path, std::size_t depth, Walk& walk) {
  if (path.empty()) {
    if (!node.has_routes()) return false;
    walk.found = &node;
    return true;
  }
  std::string_view rest = path;
  const std::string_view segment = take_segment(rest);
  for (const auto& [name, child] : node.literals) {
    if (literal_matches(name, segment) && descend_into(*child, rest, depth + 1, walk)) return true;
  }
  if (segment.empty()) return false;
  if (node.any && descend_with_value(*node.any, segment, rest, depth + 1, walk)) return true;
  return node.rest && descend_with_value(*node.rest, path.substr(1), {}, depth + 1, walk);
}

std::string allowed_methods(const Node& node) {
  std::string allow;
  for (std::size_t i = 0; i < kMethods; ++i) {
    const bool from_get = i == static_cast<std::size_t>(Method::kHead) &&
                          node.entries[static_cast<std::size_t>(Method::kGet)].route != nullptr;
    const bool always = i == static_cast<std::size_t>(Method::kOptions);
    if (node.entries[i].route == nullptr && !from_get && !always) continue;
    if (!allow.empty()) allow.append(", ");
    allow.append(kMethodNames[i]);
  }
  return allow;
}

// REQUIRES: node.has_routes().
const Entry& first_entry(const Node& node) {
  return *std::find_if(node.entries.begin(), node.entries.end(), [](const Entry& entry) {
    return entry.route != nullptr;
  });
}

const Entry& entry_for(const Node& node, Method method) {
  const Entry& own = node.entries[static_cast<std::size_t>(method)];
  if (own.route != nullptr || method != Method::kHead) return own;
  return node.entries[static_cast<std::size_t>(Method::kGet)];
}

}  // namespace

std::string_view method_name(Method method) {
  return kMethodNames[static_cast<std::size_t>(method)];
}

struct RouteTable::Impl {
  std::vector<Api> apis;
  Node root;
};

RouteTable::RouteTable(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
RouteTable::RouteTable(RouteTable&&) noexcept = default;
RouteTable& RouteTable::operator=(RouteTable&&) noexcept = default;
RouteTable::~RouteTable() = default;

const std::vector<Api>& RouteTable::apis() const { return impl_->apis; }

Result<RouteTable> RouteTable::build(std::vector<Api> apis) {
  auto impl = std::make_unique<Impl>();
  impl->apis = std::move(apis);
  std::string faults;
  for (const Api& api : impl->apis) {
    for (const Route& route : api.routes) {
      const std::string fault = plant_route(impl->root, api, route);
      if (fault.empty()) continue;
      faults.append(faults.empty() ? "routes: " : "; ").append(fault);
    }
  }
  if (!faults.empty()) return invalid_argument(std::move(faults));
  return RouteTable(std::move(impl));
}

RouteMatch RouteTable::match(Method method, std::string_view path) const {
  RouteMatch match;
  if (!path.starts_with('/')) return match;
  Walk walk;
  const bool found = descend(impl_->root, path, 0, walk);
  match.api = walk.owner;
  if (!found) {
    if (walk.bad_escape) match.kind = RouteMatch::Kind::kBadPath;
    return match;
  }
  const Entry& entry = entry_for(*walk.found, method);
  if (entry.route == nullptr) {
    match.kind = RouteMatch::Kind::kNoSuchMethod;
    match.allow = allowed_methods(*walk.found);
    match.pattern = first_entry(*walk.found).pattern;
    return match;
  }
  match.kind = RouteMatch::Kind::kFound;
  match.route = entry.route;
  match.api = entry.api;
  match.pattern = entry.pattern;
  match.values = std::move(walk.values);
  return match;
}

}  // namespace cortex::frontend
