// SPDX-License-Identifier: Apache-2.0
#include "registry/faults.h"

namespace cortex::registry {
namespace {

constexpr std::size_t kLinesMax = 32;
constexpr std::size_t kLineBytesMax = 512;

}  // namespace

void Faults::add(std::string_view place, std::string_view text) {
  if (lines_.size() == kLinesMax) {
    ++left_out_;
    return;
  }
  std::string line(place);
  if (!line.empty()) line.append(": ");
  line.append(text);
  if (line.size() > kLineBytesMax) line.replace(kLineBytesMax, std::string::npos, "…");
  lines_.push_back(std::move(line));
}

Status Faults::status() const {
  if (lines_.empty()) return {};
  std::string text;
  for (const std::string& line : lines_) {
    if (!text.empty()) text.append("; ");
    text.append(line);
  }
  if (left_out_ > 0) text.append("; and " + std::to_string(left_out_) + " more");
  return invalid_argument(std::move(text));
}

}  // namespace cortex::registry
