// SPDX-License-Identifier: Apache-2.0
#include "cli/detail/plot.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <vector>

namespace cortex::cli::detail {
namespace {

constexpr std::size_t kDotsAcross = 2;  // of one character
constexpr std::size_t kDotsDown = 4;

struct Range {
  double least = 0;
  double greatest = 0;

  // 0 to 1; the middle of a range without extent.
  [[nodiscard]] double place(double value) const {
    return greatest > least ? (value - least) / (greatest - least) : 0.5;
  }
};

Range range_of(const std::vector<PlotPoint>& points, double PlotPoint::* axis) {
  const auto [least, greatest] =
      std::minmax_element(points.begin(), points.end(), [axis](const auto& a, const auto& b) {
        return a.*axis < b.*axis;
      });
  return {(*least).*axis, (*greatest).*axis};
}

class Canvas {
 public:
  explicit Canvas(const PlotSize& size) : size_(size), cells_(size.columns * size.rows) {}

  [[nodiscard]] double width() const {
    return static_cast<double>(size_.columns * kDotsAcross - 1);
  }
  [[nodiscard]] double height() const { return static_cast<double>(size_.rows * kDotsDown - 1); }

  // From the left, from the top.
  void dot(double x, double y) {
    // The bits of the block U+2800, by column and row of the character.
    constexpr std::uint8_t kBits[kDotsAcross][kDotsDown] = {{1, 2, 4, 64}, {8, 16, 32, 128}};
    const auto column = static_cast<std::size_t>(std::lround(x));
    const auto row = static_cast<std::size_t>(std::lround(y));
    cells_[row / kDotsDown * size_.columns + column / kDotsAcross] |=
        kBits[column % kDotsAcross][row % kDotsDown];
  }
  void line(double x0, double y0, double x1, double y1) {
    const double steps = std::max({std::abs(x1 - x0), std::abs(y1 - y0), 1.0});
    for (double i = 0; i <= steps; ++i) {
      dot(x0 + (x1 - x0) * i / steps, y0 + (y1 - y0) * i / steps);
    }
  }
  [[nodiscard]] std::string row(std::size_t index) const {
    std::string out;
    for (std::size_t i = 0; i < size_.columns; ++i) {
      const std::uint8_t cell = cells_[index * size_.columns + i];
      out.push_back('\xE2');
      out.push_back(static_cast<char>(0xA0 + (cell >> 6)));
      out.push_back(static_cast<char>(0x80 + (cell & 0x3F)));
    }
    return out;
  }

 private:
  PlotSize size_;
  std::vector<std::uint8_t> cells_;
};

std::string number_text(double value) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.6g", value);
  return text.data();
}

}  // namespace

std::string plot(std::span<const PlotPoint> all, const PlotSize& size) {
  std::vector<PlotPoint> points;
  std::copy_if(all.begin(), all.end(), std::back_inserter(points), [](const PlotPoint& point) {
    return std::isfinite(point.x) && std::isfinite(point.y);
  });
  if (points.empty()) return {};
  const Range across = range_of(points, &PlotPoint::x);
  const Range down = range_of(points, &PlotPoint::y);
  Canvas canvas(size);
  const auto x_of = [&](const PlotPoint& point) { return across.place(point.x) * canvas.width(); };
  const auto y_of = [&](const PlotPoint& point) {
    return (1 - down.place(point.y)) * canvas.height();
  };
  for (std::size_t i = 0; i < points.size(); ++i) {
    const PlotPoint& from = points[i == 0 ? 0 : i - 1];
    canvas.line(x_of(from), y_of(from), x_of(points[i]), y_of(points[i]));
  }
  const std::string top = number_text(down.greatest);
  const std::string bottom = number_text(down.least);
  const std::size_t margin = std::max(top.size(), bottom.size());
  std::string out;
  for (std::size_t row = 0; row < size.rows; ++row) {
    const std::string label = row == 0 ? top : row + 1 == size.rows ? bottom : std::string();
    out += std::string(margin - label.size(), ' ') + label + " │" + canvas.row(row) + "\n";
  }
  const std::string first = number_text(across.least);
  const std::string last = number_text(across.greatest);
  const std::size_t used = first.size() + last.size();
  out += std::string(margin + 2, ' ') + first;
  out += std::string(size.columns > used ? size.columns - used : 1, ' ') + last + "\n";
  return out;
}

}  // namespace cortex::cli::detail
