// SPDX-License-Identifier: Apache-2.0
#include "config/keys.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <set>
#include <utility>

#include <yaml-cpp/yaml.h>

#include "config/detail/yaml_document.h"

namespace cortex::config {
namespace {

constexpr std::size_t kKeysMax = 100'000;
constexpr std::uint64_t kLimitMax = 1'000'000'000;

std::optional<std::uint8_t> hex_digit(char c) {
  if (c >= '0' && c <= '9') return static_cast<std::uint8_t>(c - '0');
  if (c >= 'a' && c <= 'f') return static_cast<std::uint8_t>(c - 'a' + 10);
  if (c >= 'A' && c <= 'F') return static_cast<std::uint8_t>(c - 'A' + 10);
  return std::nullopt;
}

// Of an empty key: what a variable that is not set gives to sha256sum.
constexpr std::string_view kDigestOfNothing =
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

bool parse_digest(std::string_view hex, std::array<std::uint8_t, 32>& out) {
  if (hex.size() != 2 * out.size()) return false;
  for (std::size_t i = 0; i < out.size(); ++i) {
    const auto high = hex_digit(hex[2 * i]);
    const auto low = hex_digit(hex[2 * i + 1]);
    if (!high || !low) return false;
    out[i] = static_cast<std::uint8_t>(*high << 4 | *low);
  }
  return true;
}

bool is_of_nothing(const std::array<std::uint8_t, 32>& digest) {
  std::array<std::uint8_t, 32> nothing{};
  return parse_digest(kDigestOfNothing, nothing) && digest == nothing;
}

std::optional<std::uint64_t> parse_limit(const YAML::Node& value) {
  if (!value.IsScalar()) return std::nullopt;
  const std::string& text = value.Scalar();
  std::uint64_t out = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  if (error != std::errc() || end != text.data() + text.size() || out > kLimitMax) {
    return std::nullopt;
  }
  return out;
}

std::optional<double> parse_weight(const YAML::Node& value) {
  if (!value.IsScalar()) return std::nullopt;
  const std::string& text = value.Scalar();
  double out = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  // Not so either where it is no number.
  if (!(out >= kKeyWeightMin && out <= kKeyWeightMax)) return std::nullopt;
  return out;
}

bool is_class(std::string_view name) {
  return name == "high" || name == "normal" || name == "low" || name == "background";
}

// The scope of that name, or of the role that stands for it; "" for none.
std::string_view scope_of(std::string_view name) {
  if (name == "read" || name == "reader") return "read";
  if (name == "infer" || name == "inference_user") return "infer";
  if (name == "admin" || name == "model_admin") return "admin";
  return {};
}

// The name in a map; "" for what is none.
std::string name_of(const YAML::Node& node) { return node.IsScalar() ? node.Scalar() : ""; }

class KeyReader {
 public:
  KeyReader(std::string_view name, KeyFile& out) : name_(name), out_(out) {}

  void read(const YAML::Node& root) {
    if (!root.IsMap()) return read_list(root);
    std::set<std::string> seen;
    for (const auto& entry : root) {
      const std::string field = name_of(entry.first);
      if (field != "keys") {
        fault(entry.first, "'" + field + "' is not a field of a key file; there is keys");
      } else if (is_first(seen, entry.first)) {
        read_list(entry.second);
      }
    }
    if (seen.empty()) fault(root, "must be a list of keys");
  }

 private:
  void read_list(const YAML::Node& list) {
    if (!list.IsSequence()) return fault(list, "must be a list of keys");
    if (list.size() > kKeysMax) return fault(list, "holds more than 100000 keys");
    std::size_t index = 0;
    for (const auto& node : list) {
      path_ = "keys[" + std::to_string(index++) + "]";
      read_key(node);
    }
    path_.clear();
  }

  void fault(const YAML::Node& node, std::string text) {
    std::string where = name_;
    if (!node.Mark().is_null()) where += ":" + std::to_string(node.Mark().line + 1);
    if (!path_.empty()) where += ": " + path_;
    out_.faults.push_back({std::move(where), std::move(text)});
  }

  bool is_first(std::set<std::string>& seen, const YAML::Node& name) {
    const bool first = seen.insert(name.Scalar()).second;
    if (!first) fault(name, "'" + name.Scalar() + "' is there twice");
    return first;
  }

  void read_key(const YAML::Node& node) {
    if (!node.IsMap())
      return fault(
          node, "must be a map of name, tenant, workspace, scopes, sha256, limits, class and weight"
      );
    KeyEntry key;
    std::set<std::string> seen;
    for (const auto& entry : node) {
      const std::string field = name_of(entry.first);
      if (field.empty() || is_first(seen, entry.first)) read_field(field, entry.second, key);
    }
    check(node, key);
    out_.keys.push_back(std::move(key));
  }

  void read_field(const std::string& field, const YAML::Node& value, KeyEntry& key) {
    if (field == "scopes") return read_scopes(value, key);
    if (field == "limits") return read_limits(value, key.limits);
    if (field == "class") return read_class(value, key);
    if (field == "weight") return read_weight(value, key);
    if (field != "name" && field != "tenant" && field != "workspace" && field != "sha256") {
      return fault(value, "'" + field + "' is not a field of a key");
    }
    if (!value.IsScalar()) return fault(value, field + " must be plain text");
    if (field == "name") {
      key.name = value.Scalar();
    } else if (field == "tenant") {
      key.tenant = value.Scalar();
    } else if (field == "workspace") {
      key.workspace = value.Scalar();
    } else {
      names_digest_ = true;
      has_digest_ = parse_digest(value.Scalar(), key.sha256);
      if (!has_digest_) fault(value, "sha256 must be 64 hexadecimal digits");
      if (is_of_nothing(key.sha256)) fault(value, "sha256 is the digest of an empty key");
    }
  }

  void read_scopes(const YAML::Node& value, KeyEntry& key) {
    if (!value.IsSequence()) return fault(value, "scopes must be a list");
    for (const auto& scope : value) {
      const std::string text = name_of(scope);
      const std::string_view name = scope_of(text);
      if (name.empty()) {
        fault(
            scope,
            "'" + text +
                "' is not a scope; there are read (reader), infer (inference_user) and admin "
                "(model_admin)"
        );
      } else {
        key.scopes.emplace_back(name);
      }
    }
  }

  void read_limits(const YAML::Node& value, KeyLimits& limits) {
    if (!value.IsMap()) return fault(value, "limits must be a map");
    std::set<std::string> seen;
    for (const auto& entry : value) {
      const std::string field = name_of(entry.first);
      std::optional<std::uint64_t>* const limit = limit_of(field, limits);
      if (limit == nullptr) {
        fault(
            entry.first,
            "'" + field +
                "' is not a limit; there are requests_per_minute, tokens_per_minute and "
                "concurrent_requests"
        );
        continue;
      }
      if (!is_first(seen, entry.first)) continue;
      *limit = parse_limit(entry.second);
      if (!*limit) {
        fault(entry.second, "limits." + field + " must be a whole number from 0 to 1000000000");
      }
    }
  }

  void read_class(const YAML::Node& value, KeyEntry& key) {
    const std::string text = value.IsScalar() ? value.Scalar() : "";
    if (is_class(text)) {
      key.priority_class = text;
    } else {
      fault(value, "'" + text + "' is not a class; there are high, normal, low and background");
    }
  }

  void read_weight(const YAML::Node& value, KeyEntry& key) {
    const auto weight = parse_weight(value);
    if (!weight) return fault(value, "weight must be a number from 0.01 to 100");
    key.weight = *weight;
  }

  static std::optional<std::uint64_t>* limit_of(std::string_view field, KeyLimits& limits) {
    if (field == "requests_per_minute") return &limits.requests_per_minute;
    if (field == "tokens_per_minute") return &limits.tokens_per_minute;
    if (field == "concurrent_requests") return &limits.concurrent_requests;
    return nullptr;
  }

  void check(const YAML::Node& node, const KeyEntry& key) {
    if (key.name.empty()) fault(node, "needs a name");
    if (key.tenant.empty()) fault(node, "the tenant must not be empty");
    if (key.workspace.empty()) fault(node, "the workspace must not be empty");
    if (key.scopes.empty()) fault(node, "needs scopes");
    if (!names_digest_) fault(node, "needs sha256");
    if (!key.name.empty() && !names_.insert(key.name).second) {
      fault(node, "the name '" + key.name + "' is there twice");
    }
    if (has_digest_ && !digests_.insert(key.sha256).second)
      fault(node, "this sha256 is there twice");
    names_digest_ = has_digest_ = false;
  }

  std::string name_;
  KeyFile& out_;
  std::string path_;
  bool names_digest_ = false;
  bool has_digest_ = false;
  std::set<std::string> names_;
  std::set<std::array<std::uint8_t, 32>> digests_;
};

}  // namespace

KeyFile parse_keys(std::string_view text, std::string_view name) {
  detail::YamlDocument document = detail::read_document(text, name);
  KeyFile out{{}, std::move(document.faults)};
  if (!out.faults.empty()) return out;
  try {
    KeyReader(name, out).read(document.root);
  } catch (const YAML::Exception& error) {
    out.faults.push_back({std::string(name) + ":" + std::to_string(error.mark.line + 1), error.msg}
    );
  }
  return out;
}

}  // namespace cortex::config
