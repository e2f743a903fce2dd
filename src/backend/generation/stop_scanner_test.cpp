// SPDX-License-Identifier: Apache-2.0
#include "backend/generation/detail/stop_scanner.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace cortex::backend {
namespace {

TEST(StopScanner, without_stops_text_goes_on_at_once) {
  StopScanner scanner({""});
  EXPECT_EQ(scanner.feed("abc"), "abc");
  EXPECT_EQ(scanner.finish(), "");
  EXPECT_FALSE(scanner.stop());
}

TEST(StopScanner, ends_before_the_first_stop_however_the_text_comes) {
  const std::string text = "one two END three STOP";
  for (std::size_t piece = 1; piece <= text.size(); ++piece) {
    StopScanner scanner({"STOP", "END"});
    std::string out;
    for (std::size_t at = 0; at < text.size(); at += piece) {
      out += scanner.feed(std::string_view(text).substr(at, piece));
    }
    out += scanner.finish();
    EXPECT_EQ(out, "one two ");
    EXPECT_EQ(scanner.stop(), "END");
  }
}

TEST(StopScanner, holds_back_what_may_become_a_stop_and_no_more) {
  StopScanner scanner({"\n\nUser"});
  EXPECT_EQ(scanner.feed("hello\n"), "hello");
  EXPECT_EQ(scanner.feed("\n"), "");
  EXPECT_EQ(scanner.feed("Use"), "");
  EXPECT_EQ(scanner.feed("less"), "\n\nUseless");
  EXPECT_EQ(scanner.feed("\n\n\n"), "\n");
  EXPECT_EQ(scanner.finish(), "\n\n");
  EXPECT_FALSE(scanner.stop());
}

TEST(StopScanner, a_stop_that_begins_anew_within_itself_is_found) {
  StopScanner scanner({"aab"});
  EXPECT_EQ(scanner.feed("aa"), "");
  EXPECT_EQ(scanner.feed("ab!"), "a");
  EXPECT_EQ(scanner.stop(), "aab");
}

TEST(StopScanner, of_two_that_begin_at_one_place_the_first_named_counts) {
  StopScanner scanner({"ab", "abc"});
  EXPECT_EQ(scanner.feed("xabc"), "x");
  EXPECT_EQ(scanner.stop(), "ab");
  EXPECT_EQ(scanner.feed("more"), "");
}

}  // namespace
}  // namespace cortex::backend
