// SPDX-License-Identifier: Apache-2.0
#include "app/probe_report.h"

#include <gtest/gtest.h>

namespace cortex::app {
namespace {

TEST(ProbeReport, comes_back_as_it_was) {
  ProbeReport report;
  report.resident_bytes = 3'000'000'000'000;
  report.peak_bytes = 4;
  report.seconds = 0.25;
  const auto good = parse_report(report_text(report));
  ASSERT_TRUE(good.has_value());
  EXPECT_TRUE(good->status.ok());
  EXPECT_EQ(good->resident_bytes, 3'000'000'000'000);
  EXPECT_EQ(good->peak_bytes, 4);
  EXPECT_EQ(good->seconds, 0.25);
  report.status = Status(Code::kInvalidArgument, "no \"model\"\n", Detail{"at byte 1"});
  const auto bad = parse_report(report_text(report));
  ASSERT_TRUE(bad.has_value());
  EXPECT_EQ(bad->status.to_string(), report.status.to_string());
}

TEST(ProbeReport, is_none_when_it_is_cut_short_or_of_another_kind) {
  const std::string text = report_text({});
  for (std::size_t length = 0; length + 1 < text.size(); ++length) {
    EXPECT_FALSE(parse_report(text.substr(0, length)).has_value()) << length;
  }
  for (const char* other : {"", "[]", "{}", R"({"code":99,"text":"","detail":""})", "killed"}) {
    EXPECT_FALSE(parse_report(other).has_value()) << other;
  }
}

}  // namespace
}  // namespace cortex::app
