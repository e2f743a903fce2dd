// SPDX-License-Identifier: Apache-2.0
#include "frontend/codec/openai/openai_error.h"

#include <string_view>

#include "base/json_text.h"
#include "frontend/status_map.h"

namespace cortex::frontend::openai {
namespace {

// What is not found here is always a model: other paths belong to no route.
std::string_view error_code(const Status& status) {
  if (!status.reason().empty()) return status.reason();
  if (status.code() == Code::kNotFound) return "model_not_found";
  return status_row(status.code()).openai_code;
}

std::string_view error_param(const Status& status) {
  if (!status.field().empty()) return status.field();
  return status.code() == Code::kNotFound ? "model" : "";
}

}  // namespace

std::string error_text(const Status& status) {
  std::string out = R"({"error":{"message":)";
  append_json_string(out, status.text());
  out.append(R"(,"type":)");
  append_json_string(out, status_row(status.code()).openai_type);
  out.append(R"(,"param":)");
  const std::string_view param = error_param(status);
  if (param.empty()) {
    out.append("null");
  } else {
    append_json_string(out, param);
  }
  out.append(R"(,"code":)");
  append_json_string(out, error_code(status));
  return out.append("}}");
}

}  // namespace cortex::frontend::openai
