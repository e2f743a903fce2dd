// SPDX-License-Identifier: Apache-2.0
#include "net/url.h"

#include <gtest/gtest.h>

namespace cortex::net {
namespace {

TEST(Url, is_taken_apart) {
  const auto url = parse_url("https://models.example/a/b?c=%20d");
  ASSERT_TRUE(url.ok());
  EXPECT_TRUE(url->tls);
  EXPECT_EQ(url->host, "models.example");
  EXPECT_EQ(url->port, "443");
  EXPECT_EQ(url->target, "/a/b?c=%20d");
  EXPECT_EQ(url->authority(), "models.example");
}

TEST(Url, keeps_a_port_and_the_brackets_of_an_address) {
  const auto url = parse_url("http://[::1]:8000?a");
  ASSERT_TRUE(url.ok());
  EXPECT_EQ(url->host, "::1");
  EXPECT_EQ(url->target, "/?a");
  EXPECT_EQ(url->authority(), "[::1]:8000");
}

TEST(Url, refuses_what_is_none) {
  for (const char* text :
       {"a:80",
        "ftp://a",
        "http://",
        "http:///x",
        "http://a:b",
        "http://a:",
        "http://a:70000",
        "http://[::1",
        "http://user@a",
        "http://a/#b",
        "http://a/ b",
        "http://a/\r\nX: y"}) {
    EXPECT_EQ(parse_url(text).status().code(), Code::kInvalidArgument) << text;
  }
}

}  // namespace
}  // namespace cortex::net
