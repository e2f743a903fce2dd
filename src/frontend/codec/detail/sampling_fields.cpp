// SPDX-License-Identifier: Apache-2.0
#include "frontend/codec/detail/sampling_fields.h"

#include <charconv>

#include "frontend/codec/generation_bounds.h"

namespace cortex::frontend {
namespace {

namespace ondemand = simdjson::ondemand;

std::string bound_text(double value) {
  char text[32] = {};
  const auto end = std::to_chars(std::begin(text), std::end(text), value).ptr;
  return {std::begin(text), end};
}

}  // namespace

Status read_field(
    ondemand::value value,
    std::string_view name,
    const FloatField& field,
    SamplingSettings& sampling
) {
  double number = 0;
  const Status read = read_number(value, name, number);
  const bool low = field.above_low ? number <= field.low : number < field.low;
  if (!read.ok() || low || number > field.high) {
    const std::string from = field.above_low ? "above " : "from ";
    return field_error(
        name, "a number " + from + bound_text(field.low) + " to " + bound_text(field.high)
    );
  }
  sampling.*field.member = static_cast<float>(number);
  return {};
}

Status read_field(
    ondemand::value value,
    std::string_view name,
    const IntegerField& field,
    SamplingSettings& sampling
) {
  std::int64_t number = 0;
  CORTEX_RETURN_IF_ERROR(read_between(value, name, {field.low, field.high}, number));
  sampling.*field.member = static_cast<std::int32_t>(number);
  return {};
}

Status add_stop(ondemand::value value, std::string_view name, std::vector<std::string>& stops) {
  if (stops.size() >= kStopsMax) {
    return field_error(name, "a list of at most " + std::to_string(kStopsMax) + " strings");
  }
  CORTEX_RETURN_IF_ERROR(read_text(value, name, stops.emplace_back()));
  if (!stops.back().empty() && stops.back().size() <= kStopBytesMax) return {};
  return field_error(name, "of strings of 1 to " + std::to_string(kStopBytesMax) + " bytes");
}

Status read_stops(ondemand::value value, std::string_view name, std::vector<std::string>& stops) {
  ondemand::json_type type{};
  if (const auto error = value.type().get(type)) return malformed_json(error);
  if (type == ondemand::json_type::string) return add_stop(value, name, stops);
  ondemand::array array;
  if (value.get_array().get(array)) return field_error(name, "a string or a list of strings");
  return for_each_element(array, [&](ondemand::value text) { return add_stop(text, name, stops); });
}

}  // namespace cortex::frontend
