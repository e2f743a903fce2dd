// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/status.h"
#include "request/parameters.h"

namespace cortex {

// What ModelReference::adapter says: "poet", or "poet@0.5" with the strength that the request
// wants in the place of the adapter's own.
struct AdapterChoice {
  std::string name;
  std::optional<float> scale;

  // kInvalidArgument where the name is none, or the strength no number from -100 to 100.
  [[nodiscard]] static Result<AdapterChoice> parse(std::string_view text);
};

// The strength of the adapter of a request that is on its way: the router sets it, whoever stands
// in front of the lane reads it. What a client calls so is overwritten.
void set_adapter_scale(Parameters& parameters, float scale);
[[nodiscard]] float adapter_scale(const Parameters& parameters);  // 1 where it is not set

}  // namespace cortex
