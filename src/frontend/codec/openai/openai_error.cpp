// SPDX-License-Identifier: Apache-2.0
#include "frontend/codec/openai/openai_error.h"

#include <string_view>

#include "base/json_text.h"
#include "frontend/status_map.h"
#include "router/limiter.h"

namespace cortex::frontend::openai {
namespace {

// Of a refusal by a quota; empty for every other error. Its code is that of all refusals, and its
// type says what there is too much of.
std::string_view quota_type(const Status& status) {
  if (status.reason() == router::kTokensReason) return "tokens";
  const bool requests =
      status.reason() == router::kRequestsReason || status.reason() == router::kConcurrencyReason;
  return requests ? "requests" : "";
}

// What is not found is a model, unless a reason says what else it is.
std::string_view error_code(const Status& status) {
  if (!status.reason().empty() && quota_type(status).empty()) return status.reason();
  if (status.code() == Code::kNotFound) return "model_not_found";
  return status_row(status.code()).openai_code;
}

std::string_view error_param(const Status& status) {
  if (!status.field().empty()) return status.field();
  return status.code() == Code::kNotFound && status.reason().empty() ? "model" : "";
}

}  // namespace

std::string error_text(const Status& status) {
  std::string out = R"({"error":{"message":)";
  append_json_string(out, status.text());
  out.append(R"(,"type":)");
  const std::string_view quota = quota_type(status);
  append_json_string(out, quota.empty() ? status_row(status.code()).openai_type : quota);
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
