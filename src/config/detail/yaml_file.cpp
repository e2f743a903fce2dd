// SPDX-License-Identifier: Apache-2.0
#include "config/detail/yaml_file.h"

#include <set>
#include <utility>

#include <yaml-cpp/yaml.h>

#include "config/detail/yaml_document.h"

namespace cortex::config::detail {
namespace {

// Deeper than any setting; a file that nests further is wrong anyway.
constexpr int kDepthMax = 4;
// Longer than any name; it stands in the path of everything below it.
constexpr std::size_t kNameBytesMax = 100;

class Flattener {
 public:
  Flattener(std::string_view name, YamlFile& out) : name_(name), out_(out) {}

  void walk(const YAML::Node& node, const std::string& path, int depth) {
    if (node.IsMap()) {
      walk_map(node, path, depth);
    } else if (node.IsSequence()) {
      walk_list(node, path);
    } else if (node.IsScalar()) {
      out_.entries.push_back({path, where(node, path), {node.Scalar()}, false});
    }
    // An empty node is a section without entries: "http:" alone.
  }

 private:
  [[nodiscard]] std::string where(const YAML::Node& node, const std::string& path) const {
    const int line = node.Mark().line + 1;
    std::string out = name_ + ":" + std::to_string(line);
    return path.empty() ? out : out + ": " + path;
  }

  void fault(const YAML::Node& node, const std::string& path, std::string text) {
    out_.faults.push_back({where(node, path), std::move(text)});
  }

  void walk_map(const YAML::Node& node, const std::string& path, int depth) {
    if (depth == kDepthMax) return fault(node, path, "nested too deeply");
    std::set<std::string> seen;
    for (const auto& entry : node) {
      if (!entry.first.IsScalar() || entry.first.Scalar().size() > kNameBytesMax) {
        fault(entry.first, path, "a name must be plain text of at most 100 bytes");
        continue;
      }
      const std::string name = entry.first.Scalar();
      const std::string full = path.empty() ? name : path + "." + name;
      if (!seen.insert(name).second) fault(entry.first, full, "is there twice");
      walk(entry.second, full, depth + 1);
    }
  }

  void walk_list(const YAML::Node& node, const std::string& path) {
    YamlEntry entry{path, where(node, path), {}, true};
    for (const auto& item : node) {
      if (!item.IsScalar()) return fault(item, path, "a list holds plain values");
      entry.values.push_back(item.Scalar());
    }
    out_.entries.push_back(std::move(entry));
  }

  std::string name_;
  YamlFile& out_;
};

}  // namespace

YamlFile read_settings(std::string_view yaml, std::string_view name) {
  YamlDocument document = read_document(yaml, name);
  YamlFile out{{}, std::move(document.faults)};
  try {
    if (document.root.IsMap()) {
      Flattener(name, out).walk(document.root, "", 0);
    } else if (!document.root.IsNull()) {
      out.faults.push_back({std::string(name), "must be a map of settings"});
    }
  } catch (const YAML::Exception& error) {
    out.faults.push_back({std::string(name) + ":" + std::to_string(error.mark.line + 1), error.msg}
    );
  }
  return out;
}

}  // namespace cortex::config::detail
