// SPDX-License-Identifier: Apache-2.0
#include "cli/detail/plot.h"

#include <cmath>
#include <limits>
#include <sstream>
#include <vector>

#include <boost/json/parse.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/detail/table.h"

namespace cortex::cli::detail {
namespace {

using ::testing::HasSubstr;

TEST(Plot, draws_a_rising_line_from_the_lower_left_to_the_upper_right) {
  const std::vector<PlotPoint> points = {{0, 0}, {1, 1}};
  EXPECT_EQ(
      plot(points, {4, 2}),
      "1 │⠀⠀⡠⠊\n"
      "0 │⡠⠊⠀⠀\n"
      "   0  1\n"
  );
}

TEST(Plot, shows_values_that_do_not_change) {
  const std::vector<PlotPoint> points = {{0, 5}, {10, 5}};
  const std::string drawing = plot(points, {4, 1});
  EXPECT_THAT(drawing, HasSubstr("5 │"));
  EXPECT_NE(drawing.find("⠤⠤⠤⠤"), std::string::npos) << drawing;
}

TEST(Plot, leaves_out_what_is_not_finite) {
  const double none = std::numeric_limits<double>::quiet_NaN();
  EXPECT_EQ(plot(std::vector<PlotPoint>{{0, none}}, {4, 2}), "");
  EXPECT_EQ(plot({}, {4, 2}), "");
  EXPECT_NE(plot(std::vector<PlotPoint>{{0, none}, {1, 2}, {2, HUGE_VAL}}, {4, 2}), "");
}

TEST(Table, counts_characters_and_disarms_control_characters) {
  std::ostringstream out;
  print_table(out, {{"NAME", "X"}, {"é\x1b[2J", "1"}});
  EXPECT_EQ(out.str(), "NAME   X\né?[2J  1\n");
}

TEST(Table, writes_times_and_sizes_for_people) {
  EXPECT_EQ(time_text(1'700'000'000'000), "2023-11-14 22:13:20");
  EXPECT_EQ(time_text(0), "");
  EXPECT_EQ(bytes_text(1023), "1023 B");
  EXPECT_EQ(bytes_text(1536), "1.5 KiB");
}

TEST(Table, shows_both_sides_of_a_difference) {
  std::ostringstream out;
  const auto list = boost::json::parse(R"([{"name":"depth","left":"4","right":null}])");
  print_differences(out, "params", &list);
  EXPECT_EQ(out.str(), "params\n  depth\n  - 4\n");
}

}  // namespace
}  // namespace cortex::cli::detail
