// SPDX-License-Identifier: Apache-2.0
#include "config/detail/yaml_document.h"

#include <sstream>
#include <string>

#include <yaml-cpp/eventhandler.h>

namespace cortex::config::detail {
namespace {

// Leaves the parser at the first alias: an exception is the only way out of it.
class NoAliases final : public YAML::EventHandler {
 public:
  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark&, YAML::anchor_t) override {}
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
    throw YAML::ParserException(mark, "aliases are not allowed");
  }
  void OnScalar(const YAML::Mark&, const std::string&, YAML::anchor_t, const std::string&)
      override {}
  void OnSequenceStart(
      const YAML::Mark&, const std::string&, YAML::anchor_t, YAML::EmitterStyle::value
  ) override {}
  void OnSequenceEnd() override {}
  void OnMapStart(const YAML::Mark&, const std::string&, YAML::anchor_t, YAML::EmitterStyle::value)
      override {}
  void OnMapEnd() override {}
};

// The library's LoadAll() does not end where something follows a document that begins none.
bool is_one_document(const std::string& yaml) {
  std::istringstream stream(yaml);
  YAML::Parser parser(stream);
  NoAliases events;
  return !parser.HandleNextDocument(events) || !parser.HandleNextDocument(events);
}

}  // namespace

YamlDocument read_document(std::string_view yaml, std::string_view name) {
  YamlDocument out;
  try {
    const std::string text(yaml);
    if (is_one_document(text)) {
      out.root = YAML::Load(text);
    } else {
      out.faults.push_back({std::string(name), "holds more than one YAML document"});
    }
  } catch (const YAML::Exception& error) {
    out.faults.push_back({std::string(name) + ":" + std::to_string(error.mark.line + 1), error.msg}
    );
  }
  return out;
}

}  // namespace cortex::config::detail
