// SPDX-License-Identifier: Apache-2.0
#include "net/event_stream.h"

#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cortex::net {
namespace {

using Events = std::vector<std::pair<std::string, std::string>>;

// Fed in pieces of `piece` bytes.
Events events_of(std::string_view text, std::size_t piece) {
  Events out;
  EventStream stream([&](std::string_view name, std::string_view data) -> Status {
    out.emplace_back(name, data);
    return {};
  });
  for (; !text.empty(); text.remove_prefix(std::min(piece, text.size()))) {
    EXPECT_TRUE(stream.feed(text.substr(0, piece)).ok());
  }
  return out;
}

TEST(EventStream, reads_the_same_events_however_the_bytes_are_cut) {
  const std::string text =
      "\xEF\xBB\xBF"
      "data: one\n\n"
      ": a comment\n"
      "event: delta\ndata:two\ndata:  three\nid: 7\n\n"
      "data: four\r\n\r\n"
      "data: five\r\r"
      "data\n\n"
      "event: nothing\n\n"
      "data: {\"a\": 1}\n\n"
      "data: not ended\n";
  const Events expected{
      {"message", "one"},
      {"delta", "two\n three"},
      {"message", "four"},
      {"message", "five"},
      {"message", ""},
      {"message", "{\"a\": 1}"}
  };
  for (std::size_t piece = 1; piece <= text.size(); ++piece) {
    EXPECT_EQ(events_of(text, piece), expected) << piece;
  }
}

TEST(EventStream, refuses_an_event_that_is_too_long_in_one_line_or_in_many) {
  const auto feed_all = [](std::string_view text) {
    EventStream stream([](std::string_view, std::string_view) { return Status(); }, 16);
    Status last;
    for (std::size_t i = 0; i < text.size() && last.ok(); ++i)
      last = stream.feed(text.substr(i, 1));
    return last.code();
  };
  EXPECT_EQ(feed_all("data: 0123456789\n\ndata: 0123456789\n\n"), Code::kOk);
  EXPECT_EQ(feed_all("data: 0123456789ab"), Code::kResourceExhausted);
  EXPECT_EQ(feed_all("data: 01234\ndata: 56789\ndata: abcde\n"), Code::kResourceExhausted);
}

TEST(EventStream, ends_with_the_error_of_who_takes_the_events) {
  int taken = 0;
  EventStream stream([&](std::string_view, std::string_view) {
    return ++taken == 2 ? cancelled("enough") : Status();
  });
  EXPECT_EQ(stream.feed("data: 1\n\ndata: 2\n\ndata: 3\n\n").code(), Code::kCancelled);
  EXPECT_EQ(taken, 2);
}

}  // namespace
}  // namespace cortex::net
