// SPDX-License-Identifier: Apache-2.0
#include "frontend/codec/mlflow/artifact_reply.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace cortex::frontend::mlflow {
namespace {

const store::Blob kBlob{std::string(64, 'a'), 100};
const std::string kTag = '"' + std::string(64, 'a') + '"';

HttpRequest request_with(std::vector<std::pair<std::string, std::string>> headers) {
  HttpRequest request;
  request.headers = std::move(headers);
  return request;
}

std::string header(const ArtifactReply& reply, std::string_view name) {
  for (const auto& [key, value] : reply.head.headers) {
    if (key == name) return value;
  }
  return {};
}

TEST(ArtifactReply, is_an_attachment_that_no_browser_shows) {
  const ArtifactReply reply = make_artifact_reply({}, kBlob, "1/run/artifacts/index.html");
  EXPECT_EQ(reply.head.status, 200);
  EXPECT_EQ(reply.begin, 0U);
  EXPECT_EQ(reply.end, 100U);
  EXPECT_EQ(header(reply, "Content-Disposition"), "attachment; filename=\"index.html\"");
  EXPECT_EQ(header(reply, "X-Content-Type-Options"), "nosniff");
  EXPECT_EQ(header(reply, "ETag"), kTag);
  EXPECT_EQ(header(reply, "Accept-Ranges"), "bytes");
  EXPECT_EQ(reply.head.content_type, "text/plain");
}

TEST(ArtifactReply, serves_one_range_of_bytes) {
  struct Case {
    std::string range;
    int status;
    std::uint64_t begin;
    std::uint64_t end;
    std::string place;
  };
  const std::vector<Case> cases{
      {"bytes=0-0", 206, 0, 1, "bytes 0-0/100"},
      {"bytes=10-19", 206, 10, 20, "bytes 10-19/100"},
      {"bytes=90-", 206, 90, 100, "bytes 90-99/100"},
      {"bytes=90-500", 206, 90, 100, "bytes 90-99/100"},
      {"bytes=0-18446744073709551615", 206, 0, 100, "bytes 0-99/100"},
      {"bytes=0-99999999999999999999999", 206, 0, 100, "bytes 0-99/100"},
      {"bytes=-1", 206, 99, 100, "bytes 99-99/100"},
      {"bytes=-500", 206, 0, 100, "bytes 0-99/100"},
      {"bytes=100-", 416, 0, 0, "bytes */100"},
      {"bytes=99999999999999999999999-", 416, 0, 0, "bytes */100"},
      {"bytes=-0", 416, 0, 0, "bytes */100"},
      {"bytes=20-10", 200, 0, 100, ""},
      {"bytes=0-1,5-6", 200, 0, 100, ""},
      {"bytes=a-b", 200, 0, 100, ""},
      {"bytes=", 200, 0, 100, ""},
      {"bytes=-", 200, 0, 100, ""},
      {"bytes=--1", 200, 0, 100, ""},
      {"items=0-1", 200, 0, 100, ""},
      {"", 200, 0, 100, ""},
  };
  for (const Case& one : cases) {
    const ArtifactReply reply =
        make_artifact_reply(request_with({{"range", one.range}}), kBlob, "a");
    EXPECT_EQ(reply.head.status, one.status) << one.range;
    EXPECT_EQ(reply.begin, one.begin) << one.range;
    EXPECT_EQ(reply.end, one.end) << one.range;
    EXPECT_EQ(header(reply, "Content-Range"), one.place) << one.range;
  }
}

TEST(ArtifactReply, has_no_range_of_nothing) {
  const store::Blob empty{std::string(64, 'a'), 0};
  for (const std::string range : {"bytes=0-", "bytes=0-0", "bytes=-1"}) {
    const auto reply = make_artifact_reply(request_with({{"range", range}}), empty, "a");
    EXPECT_EQ(reply.head.status, 416) << range;
    EXPECT_EQ(header(reply, "Content-Range"), "bytes */0");
  }
  EXPECT_EQ(make_artifact_reply({}, empty, "a").end, 0U);
}

TEST(ArtifactReply, a_range_of_other_bytes_is_the_whole) {
  const auto with = [](const std::string& condition) {
    return make_artifact_reply(
               request_with({{"range", "bytes=0-1"}, {"if-range", condition}}), kBlob, "a"
    )
        .head.status;
  };
  EXPECT_EQ(with(kTag), 206);
  EXPECT_EQ(with("\"other\""), 200);
  EXPECT_EQ(with("W/" + kTag), 200);
  EXPECT_EQ(with("Sun, 06 Nov 1994 08:49:37 GMT"), 200);
}

TEST(ArtifactReply, a_client_that_has_the_bytes_gets_none) {
  const auto status = [](const std::string& tags) {
    return make_artifact_reply(request_with({{"if-none-match", tags}}), kBlob, "a").head.status;
  };
  EXPECT_EQ(status(kTag), 304);
  EXPECT_EQ(status("\"x\", W/" + kTag), 304);
  EXPECT_EQ(status("*"), 304);
  EXPECT_EQ(status("\"x\""), 200);
}

TEST(ArtifactReply, head_is_about_the_whole) {
  HttpRequest request = request_with({{"range", "bytes=0-1"}});
  request.method = Method::kHead;
  EXPECT_EQ(make_artifact_reply(request, kBlob, "a").head.status, 200);
}

TEST(ArtifactReply, a_file_name_cannot_leave_its_quotes) {
  EXPECT_EQ(attachment_of("a/b c.txt"), "attachment; filename=\"b c.txt\"");
  EXPECT_EQ(
      attachment_of("x\"; filename=\"evil.exe"),
      "attachment; filename=\"x_; filename=_evil.exe\"; "
      "filename*=UTF-8''x%22%3B%20filename%3D%22evil.exe"
  );
  EXPECT_EQ(
      attachment_of("caf\xC3\xA9.txt"),
      "attachment; filename=\"caf__.txt\"; filename*=UTF-8''caf%C3%A9.txt"
  );
  EXPECT_EQ(attachment_of("100%"), "attachment; filename=\"100_\"; filename*=UTF-8''100%25");
}

TEST(ArtifactReply, types_go_by_the_ending) {
  EXPECT_EQ(content_type_of("1/model/MLmodel"), "text/plain");
  EXPECT_EQ(content_type_of("a.json"), "application/json");
  EXPECT_EQ(content_type_of("a.svg"), "text/plain");
  EXPECT_EQ(content_type_of("model.onnx"), "application/octet-stream");
  EXPECT_EQ(content_type_of("a.json/b"), "application/octet-stream");
}

}  // namespace
}  // namespace cortex::frontend::mlflow
