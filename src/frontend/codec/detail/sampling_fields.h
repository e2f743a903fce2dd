// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "frontend/codec/detail/request_fields.h"
#include "request/sampling.h"

namespace cortex::frontend {

// Fields that the APIs of generations have in common. Each has a table of the ones that it knows,
// and of what it calls them; `name` is the field's place in the request, as errors have it.

struct FloatField {
  std::string_view name;  // static text
  float SamplingSettings::* member;
  double low;
  double high;
  bool above_low = false;  // the low end itself is out of range
};

struct IntegerField {
  std::string_view name;  // static text
  std::int32_t SamplingSettings::* member;
  std::int32_t low;
  std::int32_t high;
};

[[nodiscard]] Status read_field(
    simdjson::ondemand::value value,
    std::string_view name,
    const FloatField& field,
    SamplingSettings& sampling
);
[[nodiscard]] Status read_field(
    simdjson::ondemand::value value,
    std::string_view name,
    const IntegerField& field,
    SamplingSettings& sampling
);

// Appends one stop string: 1 to kStopBytesMax bytes, kStopsMax of them.
[[nodiscard]] Status add_stop(
    simdjson::ondemand::value value, std::string_view name, std::vector<std::string>& stops
);
// A stop string, or a list of them.
[[nodiscard]] Status read_stops(
    simdjson::ondemand::value value, std::string_view name, std::vector<std::string>& stops
);

}  // namespace cortex::frontend
