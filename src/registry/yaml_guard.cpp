// SPDX-License-Identifier: Apache-2.0
#include "registry/yaml_guard.h"

#include <sstream>
#include <string>

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

namespace cortex::registry {
namespace {

constexpr int kYamlDepthMax = 16;
constexpr int kNodesMax = 10'000;

// Leaves the parser at the first thing that is refused: an exception is the only way out of it.
class Guard final : public YAML::EventHandler {
 public:
  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override { node(mark, "", anchor); }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
    throw YAML::ParserException(mark, "aliases are not allowed");
  }
  void
  OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor, const std::string&)
      override {
    node(mark, tag, anchor);
  }
  void OnSequenceStart(
      const YAML::Mark& mark,
      const std::string& tag,
      YAML::anchor_t anchor,
      YAML::EmitterStyle::value
  ) override {
    open(mark, tag, anchor);
  }
  void OnSequenceEnd() override { --depth_; }
  void OnMapStart(
      const YAML::Mark& mark,
      const std::string& tag,
      YAML::anchor_t anchor,
      YAML::EmitterStyle::value
  ) override {
    open(mark, tag, anchor);
  }
  void OnMapEnd() override { --depth_; }

 private:
  void open(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor) {
    node(mark, tag, anchor);
    if (++depth_ > kYamlDepthMax) throw YAML::ParserException(mark, "nested too deeply");
  }

  void node(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor) {
    if (anchor != YAML::NullAnchor) throw YAML::ParserException(mark, "anchors are not allowed");
    // "?" is a plain and "!" a quoted value.
    if (!tag.empty() && tag != "?" && tag != "!") {
      throw YAML::ParserException(mark, "tags are not allowed");
    }
    if (++nodes_ > kNodesMax) throw YAML::ParserException(mark, "too many values");
  }

  int depth_ = 0;
  int nodes_ = 0;
};

}  // namespace

Status check_yaml(std::string_view text) {
  try {
    std::istringstream stream{std::string(text)};
    YAML::Parser parser(stream);
    Guard guard;
    parser.HandleNextDocument(guard);
    if (parser.HandleNextDocument(guard)) return invalid_argument("more than one YAML document");
  } catch (const YAML::Exception& error) {
    return invalid_argument("line " + std::to_string(error.mark.line + 1) + ": " + error.msg);
  }
  return {};
}

}  // namespace cortex::registry
