// SPDX-License-Identifier: Apache-2.0
#include "backend/onnx/detail/ort_errors.h"

#include <algorithm>
#include <string_view>

namespace cortex::backend {
namespace {

constexpr std::size_t kPublicTextMax = 400;

bool starts_with(std::string_view text, std::string_view with) {
  return text.substr(0, with.size()) == with;
}

// What a client or an owner may read of the library's text: without the places in the library's own
// sources.
std::string public_text(std::string_view text) {
  for (const std::string_view before : {"Status Message: ", " was false. "}) {
    if (const auto at = text.find(before); at != std::string_view::npos) {
      text.remove_prefix(at + before.size());
    }
  }
  if (starts_with(text, "/")) text.remove_prefix(std::min(text.find(' '), text.size()));
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.remove_suffix(1);
  return std::string(text.substr(0, kPublicTextMax));
}

bool is_out_of_memory(std::string_view text) {
  return text.find("Failed to allocate memory") != std::string_view::npos ||
         text.find("bad_alloc") != std::string_view::npos;
}

}  // namespace

Status run_error(const OrtFailure& failure) {
  constexpr std::string_view kOperatorFailed = "Non-zero status code returned while running ";
  if (is_out_of_memory(failure.text)) {
    return Status(
        Code::kResourceExhausted, "not enough memory for this request", Detail{failure.text}
    );
  }
  if (starts_with(failure.text, kOperatorFailed)) {
    std::string_view node = failure.text;
    node.remove_prefix(kOperatorFailed.size());
    return Status(
        Code::kInvalidArgument,
        "the model's operator " + std::string(node.substr(0, node.find(' '))) +
            " refuses these inputs: " + public_text(failure.text),
        Detail{failure.text}
    );
  }
  if (failure.code == ORT_INVALID_ARGUMENT) {
    return Status(Code::kInvalidArgument, public_text(failure.text), Detail{failure.text});
  }
  return internal(failure.text);
}

Status input_error(const std::string& input, const OrtFailure& failure) {
  if (is_out_of_memory(failure.text)) return run_error(failure);
  return Status(
      Code::kInvalidArgument,
      "tensor '" + input + "': " + public_text(failure.text),
      Detail{failure.text}
  );
}

Status load_error(const TensorBackendOptions& options, const OrtFailure& failure) {
  std::string text = failure.text;
  const std::string path = options.model_file.string();
  const std::string file = options.model_file.filename().string();
  for (auto at = text.find(path); at != std::string::npos; at = text.find(path, at + file.size())) {
    text.replace(at, path.size(), file);
  }
  const bool environment = failure.code == ORT_NO_SUCHFILE || is_out_of_memory(text);
  return Status(
      environment ? Code::kFailedPrecondition : Code::kInvalidArgument,
      "model '" + options.model_name + "': ONNX Runtime refuses " + file + ": " + public_text(text),
      Detail{failure.text}
  );
}

}  // namespace cortex::backend
