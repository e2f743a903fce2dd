// SPDX-License-Identifier: Apache-2.0
#include "connectors/webhook_url.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cortex::connectors {
namespace {

TEST(WebhookUrl, is_taken_apart) {
  const auto url = parse_webhook_url("https://hooks.example.com:8443/a/?b=c#d");
  ASSERT_TRUE(url.ok()) << url.status().text();
  EXPECT_EQ(url->host, "hooks.example.com");
  EXPECT_EQ(url->base, "https://hooks.example.com:8443");
  EXPECT_EQ(url->target, "/a/?b=c");
  EXPECT_EQ(parse_webhook_url("http://h")->target, "/");
  EXPECT_EQ(parse_webhook_url("http://h?x")->target, "/?x");
  EXPECT_EQ(parse_webhook_url("http://[2001:4860::1]:80/x")->host, "2001:4860::1");
}

TEST(WebhookUrl, is_refused_when_it_is_none_or_means_two_things) {
  for (const char* url :
       {"",
        "h",
        "ftp://h/x",
        "file:///etc/passwd",
        "HTTP://h",
        "http://",
        "http:///x",
        "http://user:pass@h/",
        "http://a@b/",
        "http://h:port/",
        "http://h:123456/",
        "http://h /x",
        "http://h/a b",
        "http://h/\r\nX: y",
        "http://h\\@i/",
        "http://[::1",
        "http://[h]/",
        "http://127.1/",
        "http://0177.0.0.1/",
        "http://2130706433/",
        "http://0x7f000001/",
        "http://h:/"}) {
    EXPECT_FALSE(parse_webhook_url(url).ok()) << url;
  }
  EXPECT_FALSE(parse_webhook_url("http://h/" + std::string(2000, 'a')).ok());
}

TEST(WebhookUrl, tells_addresses_of_the_internet_from_others) {
  for (const char* host :
       {"127.0.0.1",
        "10.1.2.3",
        "172.16.0.1",
        "172.31.255.255",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",
        "224.0.0.1",
        "255.255.255.255",
        "198.18.0.1",
        "192.0.2.1",
        "::1",
        "::",
        "fe80::1",
        "fc00::1",
        "fd12::1",
        "ff02::1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "64:ff9b::7f00:1",
        "2002:7f00:1::",
        "2001:db8::1",
        "2001::1",
        "3fff::1"}) {
    EXPECT_FALSE(may_be_public(host)) << host;
  }
  for (const char* host :
       {"8.8.8.8",
        "172.32.0.1",
        "100.128.0.1",
        "2001:4860:4860::8888",
        "::ffff:8.8.8.8",
        "2002:808:808::",
        "hooks.example.com",
        "localhost.example.com"}) {
    EXPECT_TRUE(may_be_public(host)) << host;
  }
}

}  // namespace
}  // namespace cortex::connectors
