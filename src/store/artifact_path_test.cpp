// SPDX-License-Identifier: Apache-2.0
#include "store/artifact_path.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace cortex::store {
namespace {

using std::string_literals::operator""s;

std::string repeated(std::string_view text, std::size_t count) {
  std::string out;
  for (std::size_t i = 0; i < count; ++i) out.append(text);
  return out;
}

TEST(ArtifactPath, takes_names_that_people_give_files) {
  const std::vector<std::string> paths{
      "MLmodel",
      "1/0123456789abcdef/artifacts/model/MLmodel",
      "a b/c d.txt",
      ".hidden/..two_dots/...",
      "a..b",
      "50%/100% sure",
      "a%2Fb",
      "a%20b",
      "%zz",
      "caf\xC3\xA9/\xE6\xA8\xA1\xE5\x9E\x8B/\xF0\x9F\x98\x80",
      "\xEF\xBC\x8E\xEF\xBC\x8E",  // full-width dots are letters as others
      "ab:c",
      "-rf",
      "~/x",
      "$(x)`y`",
      std::string(1024, 'a'),
      repeated("a/", 63) + "a",
  };
  for (const std::string& path : paths) {
    EXPECT_TRUE(check_artifact_path(path).ok())
        << path << ": " << check_artifact_path(path).to_string();
  }
}

TEST(ArtifactPath, refuses_every_way_out_of_a_folder) {
  const std::vector<std::string> paths{
      "",
      "..",
      ".",
      "../etc/passwd",
      "a/../../etc/passwd",
      "a/..",
      "a/./b",
      "/etc/passwd",
      "//etc/passwd",
      "a//b",
      "a/",
      "/",
      "..\\..\\windows",
      "a\\b",
      "\\\\host\\share",
      "C:/windows",
      "c:windows",
      "%2e%2e/etc/passwd",
      "%2E%2E%2Fetc%2Fpasswd",
      "a/%2e%2e/b",
      "a/.%2e/b",
      "%2Fetc/passwd",
      "a%2F",
      "%5c%5chost",
      "%252e%252e/etc",
      "%25252e%25252e%25252fetc",
      "%25%32%65%25%32%65/etc",
      "%43:/windows",
  };
  for (const std::string& path : paths) {
    const Status status = check_artifact_path(path);
    EXPECT_EQ(status.code(), Code::kInvalidArgument) << path;
    EXPECT_EQ(status.text().rfind("Invalid path", 0), 0U) << status.text();
  }
}

TEST(ArtifactPath, refuses_bytes_that_are_read_in_two_ways) {
  const std::vector<std::string> paths{
      "a\0b"s,
      "a%00b",
      "a%2500b",
      "a\nb",
      "a%0d%0aSet-Cookie: x",
      "a\x7F",
      "a\xC2\x85",             // next line, of the second set of controls
      "a\xE2\x80\xA8",         // line separator
      "\xC0\xAE\xC0\xAE/etc",  // an overlong '.'
      "\xC0\xAF"
      "etc",  // an overlong '/'
      "\xE0\x80\xAF"
      "etc",
      "\xF0\x80\x80\xAF"
      "etc",
      "%c0%ae%c0%ae/etc",
      "\xED\xA0\x80",      // a surrogate
      "\xF4\x90\x80\x80",  // above the last code point
      "\xF5\x80\x80\x80",
      "a\x80",
      "a\xC3",
      "\xFF",
  };
  for (const std::string& path : paths) {
    EXPECT_EQ(check_artifact_path(path).code(), Code::kInvalidArgument) << path;
  }
}

TEST(ArtifactPath, refuses_what_is_too_long) {
  EXPECT_FALSE(check_artifact_path(std::string(1025, 'a')).ok());
  EXPECT_FALSE(check_artifact_path(repeated("a/", 64) + "a").ok());
  EXPECT_FALSE(check_artifact_path(repeated("%25", 341) + "2e").ok());
}

TEST(ArtifactPath, ends_with_a_name) {
  using Parts = std::pair<std::string_view, std::string_view>;
  EXPECT_EQ(split_artifact_path("a/b/c"), Parts("a/b", "c"));
  EXPECT_EQ(split_artifact_path("c"), Parts("", "c"));
}

}  // namespace
}  // namespace cortex::store
