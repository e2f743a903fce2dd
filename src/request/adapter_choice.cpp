// SPDX-License-Identifier: Apache-2.0
#include "request/adapter_choice.h"

#include <charconv>
#include <cmath>
#include <system_error>
#include <utility>
#include <variant>

#include "request/model_reference.h"

namespace cortex {
namespace {

constexpr float kScaleMax = 100;
constexpr std::string_view kScaleParameter = "adapter_scale";

}  // namespace

Result<AdapterChoice> AdapterChoice::parse(std::string_view text) {
  AdapterChoice out;
  if (const auto at = text.find('@'); at != std::string_view::npos) {
    const std::string_view number = text.substr(at + 1);
    float scale = 0;
    const char* end = number.data() + number.size();
    const auto [stop, error] = std::from_chars(number.data(), end, scale);
    if (error != std::errc() || stop != end || !(std::abs(scale) <= kScaleMax)) {
      return invalid_argument("the strength behind '@' is no number from -100 to 100");
    }
    out.scale = scale;
    text = text.substr(0, at);
  }
  if (!is_model_name(text)) return invalid_argument("the adapter behind '+' is not a name");
  out.name = text;
  return out;
}

void set_adapter_scale(Parameters& parameters, float scale) {
  std::erase_if(parameters, [](const auto& one) { return one.first == kScaleParameter; });
  parameters.emplace_back(kScaleParameter, static_cast<double>(scale));
}

float adapter_scale(const Parameters& parameters) {
  const Parameter* found = find_parameter(parameters, kScaleParameter);
  const auto* scale = found == nullptr ? nullptr : std::get_if<double>(found);
  return scale == nullptr ? 1 : static_cast<float>(*scale);
}

}  // namespace cortex
