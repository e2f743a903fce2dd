// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <span>
#include <string>

namespace cortex::cli::detail {

struct PlotPoint {
  double x = 0;
  double y = 0;
};
struct PlotSize {
  std::size_t columns = 64;  // of the drawing, without the labels
  std::size_t rows = 12;
};

// A line through the points, in the order given, drawn with the dots of Braille characters; the
// least and the greatest value stand beside it, the first and the last x below. Points that are
// not finite are left out; "" when none is left. Pure.
[[nodiscard]] std::string plot(std::span<const PlotPoint> points, const PlotSize& size = {});

}  // namespace cortex::cli::detail
