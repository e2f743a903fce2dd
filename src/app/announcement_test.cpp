// SPDX-License-Identifier: Apache-2.0
#include "app/announcement.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cortex::app {
namespace {

using testing::HasSubstr;
using testing::Not;

ReadyLine line() {
  ReadyLine out;
  out.version = "1.2.3";
  out.host = "127.0.0.1";
  out.http_port = 8000;
  out.metrics_port = 8002;
  out.program = "build/release/cortex";
  return out;
}

std::size_t lines(const std::string& text) {
  return static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
}

TEST(Announcement, is_one_ready_line_and_three_commands) {
  const std::string text = announcement_text(line());
  EXPECT_TRUE(text.starts_with(
      "cortex 1.2.3 ready on http://127.0.0.1:8000 (metrics http://127.0.0.1:8002/metrics)\n"
  )) << text;
  EXPECT_EQ(lines(text), 5u) << text;
}

TEST(Announcement, offers_an_embedding_where_a_model_takes_texts) {
  ReadyLine with_text = line();
  with_text.model = "identity";
  with_text.text_model = "minilm";
  with_text.http_port = 9000;
  const std::string text = announcement_text(with_text);
  EXPECT_THAT(text, HasSubstr("\"model\":\"minilm\""));
  EXPECT_THAT(
      text,
      HasSubstr(
          "build/release/cortex embed \"Hello, world\" --model minilm --url http://127.0.0.1:9000\n"
      )
  );
  EXPECT_EQ(lines(text), 5u) << text;
}

TEST(Announcement, offers_a_chat_where_a_model_speaks) {
  ReadyLine with_chat = line();
  with_chat.model = with_chat.chat_model = "smollm2";
  const std::string text = announcement_text(with_chat);
  EXPECT_THAT(text, HasSubstr("http://127.0.0.1:8000/v1/chat/completions"));
  EXPECT_THAT(text, HasSubstr("\"model\":\"smollm2\""));
  EXPECT_EQ(lines(text), 5u) << text;
  with_chat.text_model = "minilm";
  EXPECT_EQ(lines(announcement_text(with_chat)), 5u) << announcement_text(with_chat);
}

TEST(Announcement, sends_a_key_where_there_are_keys_and_brackets_ipv6) {
  ReadyLine with_keys = line();
  with_keys.has_keys = true;
  with_keys.host = "::1";
  with_keys.metrics_port = 0;
  const std::string text = announcement_text(with_keys);
  EXPECT_THAT(text, HasSubstr("ready on http://[::1]:8000\n"));
  EXPECT_THAT(text, HasSubstr("Bearer $CORTEX_KEY"));
  EXPECT_THAT(text, Not(HasSubstr("metrics")));
}

}  // namespace
}  // namespace cortex::app
