// SPDX-License-Identifier: Apache-2.0
#include "backend/generation/detail/utf8_stream.h"

#include <string>

#include <gtest/gtest.h>

#include "base/json_text.h"

namespace cortex::backend {
namespace {

const std::string kMixed = "a\xC3\xA9\xE4\xB8\x96\xF0\x9F\x8C\x8D!";

TEST(Utf8Stream, gives_characters_whole_however_they_come) {
  for (std::size_t piece = 1; piece <= kMixed.size(); ++piece) {
    Utf8Stream stream;
    std::string out;
    for (std::size_t at = 0; at < kMixed.size(); at += piece) {
      const std::string part = stream.feed(std::string_view(kMixed).substr(at, piece));
      EXPECT_TRUE(is_utf8(part));
      out += part;
    }
    EXPECT_EQ(out + stream.finish(), kMixed);
  }
}

TEST(Utf8Stream, holds_only_what_may_become_a_character) {
  Utf8Stream stream;
  EXPECT_EQ(stream.feed("ab\xF0\x9F"), "ab");
  EXPECT_EQ(stream.feed("\x8C"), "");
  EXPECT_EQ(stream.feed("\x8D"), "\xF0\x9F\x8C\x8D");
  EXPECT_EQ(stream.finish(), "");
}

TEST(Utf8Stream, gives_a_mark_for_what_is_no_character) {
  const std::string mark = "\xEF\xBF\xBD";
  for (const std::string broken : {"\x80", "\xC0", "\xFF", "\xC3", "\xE4\xB8", "\xF0\x9F\x8C"}) {
    Utf8Stream stream;
    const std::string first = stream.feed(broken + "x");
    EXPECT_EQ(first + stream.finish(), mark + "x") << broken.size();
  }
  Utf8Stream stream;
  EXPECT_EQ(stream.feed("x\xE4\xB8"), "x");
  EXPECT_EQ(stream.finish(), mark);
}

TEST(Utf8Stream, whatever_comes_the_text_is_utf8) {
  std::uint32_t state = 7;
  Utf8Stream stream;
  for (int i = 0; i < 5000; ++i) {
    state = state * 1664525 + 1013904223;
    const char byte = static_cast<char>(state >> 24);
    EXPECT_TRUE(is_utf8(stream.feed(std::string_view(&byte, 1))));
  }
  EXPECT_TRUE(is_utf8(stream.finish()));
}

}  // namespace
}  // namespace cortex::backend
