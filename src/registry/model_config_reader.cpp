// SPDX-License-Identifier: Apache-2.0
#include "registry/model_config_reader.h"

#include <google/protobuf/io/tokenizer.h>
#include <google/protobuf/text_format.h>
#include <google/protobuf/util/json_util.h>

#include "base/json_text.h"
#include "registry/config_conversion.h"

namespace cortex::registry {
namespace {

// The deepest field of the format lies five messages deep.
constexpr int kDepthMax = 16;

// Gathers what the parser says, in our words for places.
class TextFaults final : public google::protobuf::io::ErrorCollector {
 public:
  explicit TextFaults(Faults& faults) : faults_(faults) {}
  void AddError(int line, int column, const std::string& message) override {
    faults_.add(
        "line " + std::to_string(line + 1) + ", column " + std::to_string(column + 1), message
    );
  }
  void AddWarning(int, int, const std::string&) override {}

 private:
  Faults& faults_;
};

Status check_text(std::string_view text) {
  if (text.size() > kConfigBytesMax) {
    return invalid_argument("longer than " + std::to_string(kConfigBytesMax) + " bytes");
  }
  if (!is_utf8(text)) return invalid_argument("not UTF-8");
  return {};
}

Result<ConfigText> converted(const proto::ModelConfig& message) {
  Faults faults;
  ConfigText out = convert_config(message, faults);
  CORTEX_RETURN_IF_ERROR(faults.status());
  return out;
}

}  // namespace

bool is_inner_path(std::string_view path) {
  if (path.empty() || path.size() > 255 || path.front() == '/') return false;
  for (const char c : path) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F || c == '\\') return false;
  }
  while (!path.empty()) {
    const auto slash = std::min(path.find('/'), path.size());
    if (path.substr(0, slash) == "..") return false;
    path.remove_prefix(std::min(slash + 1, path.size()));
  }
  return true;
}

Result<ConfigText> parse_config_pbtxt(std::string_view text) {
  CORTEX_RETURN_IF_ERROR(check_text(text));
  Faults faults;
  TextFaults collector(faults);
  google::protobuf::TextFormat::Parser parser;
  parser.RecordErrorsTo(&collector);
  parser.SetRecursionLimit(kDepthMax);
  proto::ModelConfig message;
  if (!parser.ParseFromString(std::string(text), &message)) {
    if (faults.empty()) faults.add("", "not a model configuration");
    return faults.status();
  }
  return converted(message);
}

Result<ConfigText> parse_config_json(std::string_view text) {
  CORTEX_RETURN_IF_ERROR(check_text(text));
  proto::ModelConfig message;
  const auto status = google::protobuf::util::JsonStringToMessage(std::string(text), &message);
  if (!status.ok())
    return invalid_argument("not a model configuration: " + std::string(status.message()));
  return converted(message);
}

}  // namespace cortex::registry
