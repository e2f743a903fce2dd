// SPDX-License-Identifier: Apache-2.0
// Signatures and answers of S3's protocol, and the store against a real server over a wire that
// fails.
#include "store/artifact_s3.h"

#include <atomic>
#include <filesystem>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/mutex.h"
#include "net/http_pool.h"
#include "net/socket.h"
#include "net/testing/test_server.h"
#include "net/url.h"
#include "store/artifact_digest.h"
#include "store/detail/cortex_s3.h"
#include "store/detail/s3_bucket.h"
#include "store/detail/s3_names.h"
#include "store/detail/s3_objects.h"
#include "store/testing/temporary_artifacts.h"

namespace cortex::store {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::Not;

cortex_s3_bytes c_text(std::string_view text) { return {text.data(), text.size()}; }

// The example of the protocol's own documentation.
TEST(S3Signature, is_that_of_the_published_example) {
  cortex_s3_place place{};
  place.endpoint = c_text("https://s3.amazonaws.com");
  place.name = c_text("examplebucket");
  place.region = c_text("us-east-1");
  place.key = c_text("AKIAIOSFODNN7EXAMPLE");
  place.secret = c_text("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY");
  cortex_s3_bucket* bucket = cortex_s3_bucket_new(&place);
  ASSERT_NE(bucket, nullptr);
  cortex_s3_request request{};
  request.method = CORTEX_S3_GET;
  request.object = c_text("test.txt");
  request.unix_seconds = 1'369'353'600;
  request.seconds = 86'400;
  std::string url;
  const cortex_s3_text out{&url, [](void* owner, cortex_s3_bytes text) {
                             *static_cast<std::string*>(owner) = {text.data, text.size};
                           }};
  ASSERT_TRUE(cortex_s3_sign(bucket, &request, &out));
  cortex_s3_bucket_free(bucket);
  EXPECT_EQ(
      url,
      "https://examplebucket.s3.amazonaws.com/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256"
      "&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request"
      "&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host"
      "&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"
  );
}

TEST(S3Answers, are_read) {
  const auto listing = read_answer(
      S3Answer::kObjects,
      R"(<?xml version="1.0"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">)"
      "<Name>b</Name><IsTruncated>true</IsTruncated><NextContinuationToken>t+/=</"
      "NextContinuationToken>"
      "<Contents><Key>a%20b</Key><LastModified>2020-12-01T20:43:11.794Z</LastModified>"
      "<ETag>&quot;x&quot;</ETag><Size>7</Size></Contents><EncodingType>url</EncodingType>"
      "</ListBucketResult>"
  );
  ASSERT_TRUE(listing);
  ASSERT_EQ(listing->items.size(), 1U);
  EXPECT_EQ(listing->items[0].key, "a b");
  EXPECT_EQ(listing->items[0].size, 7U);
  EXPECT_EQ(listing->items[0].unix_seconds, 1'606'855'391);
  EXPECT_EQ(listing->more->first, "t+/=");
  const auto uploads = read_answer(
      S3Answer::kUploads,
      R"(<ListMultipartUploadsResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">)"
      "<Bucket>b</Bucket><KeyMarker/><NextKeyMarker>k</NextKeyMarker>"
      "<NextUploadIdMarker>u</NextUploadIdMarker><IsTruncated>true</IsTruncated>"
      "<Upload><Key>k</Key><UploadId>u</UploadId><Initiator><ID>i</ID></Initiator>"
      "<Initiated>2020-12-01T20:43:11Z</Initiated></Upload></ListMultipartUploadsResult>"
  );
  ASSERT_TRUE(uploads);
  EXPECT_EQ(uploads->items[0].upload, "u");
  EXPECT_EQ(uploads->more->second, "u");
  const auto error = read_answer(
      S3Answer::kError, "<Error><Code>SlowDown</Code><Message>Reduce</Message></Error>"
  );
  ASSERT_TRUE(error);
  EXPECT_EQ(error->items[0].key, "SlowDown");
  EXPECT_FALSE(read_answer(
      S3Answer::kCompleted, "<Error><Code>InternalError</Code><Message>x</Message></Error>"
  ));
}

TEST(S3Answers, that_are_none_are_told) {
  for (const char* text :
       {"", "<", "<a>", "hello", "<Error></Error>", "<ListBucketResult>", "\xff\xfe"}) {
    for (const S3Answer kind :
         {S3Answer::kObjects, S3Answer::kUploads, S3Answer::kCreated, S3Answer::kCompleted}) {
      EXPECT_FALSE(read_answer(kind, text)) << text;
    }
  }
  const std::string deep = std::string(100'000, '<');
  EXPECT_FALSE(read_answer(S3Answer::kError, deep));
}

TEST(S3Names, are_read_as_they_are_written) {
  const S3Names names("a/b/");
  const S3Name name{std::string(64, 'c'), 12, std::string(32, 'd'), true};
  const std::string key = names.key(name);
  EXPECT_EQ(key, "a/b/sha256/" + std::string(64, 'c') + "/12-" + std::string(32, 'd') + ".parts");
  EXPECT_EQ(names.bytes_key(name), "a/b/parts/" + std::string(32, 'd'));
  const auto read = names.read(key);
  ASSERT_TRUE(read);
  EXPECT_EQ(read->size, 12U);
  EXPECT_TRUE(read->in_parts);
  EXPECT_LT(key, names.behind(name.digest));
  for (const std::string other :
       {"x", "a/b/sha256/", "a/b/sha256/zz/1-d", "a/b/parts/d", "a/b/sha256/c"}) {
    EXPECT_FALSE(names.read(other)) << other;
  }
  EXPECT_FALSE(names.read(key + "x"));
  EXPECT_EQ(S3Names("").parts(), "parts/");
}

TEST(ArtifactS3, refuses_options_that_make_no_bucket) {
  S3Options options;
  options.endpoint = "http://127.0.0.1:1";
  options.bucket = "b";
  options.path_style = true;
  EXPECT_EQ(open_artifact_s3(options).status().code(), Code::kInvalidArgument);
  options.credentials = {"k", "s", ""};
  options.endpoint = "not a url";
  EXPECT_EQ(open_artifact_s3(options).status().code(), Code::kInvalidArgument);
}

// Between the store and the server: does to an answer what a test wants. One request per
// connection.
class Wire {
 public:
  // The request's first line, and the answer that came. Gives back what is sent instead; "" cuts
  // the connection.
  using Fault = std::function<std::string(const std::string& line, std::string answer)>;

  explicit Wire(const std::string& endpoint)
      : server_url_(*net::parse_url(endpoint)),
        server_([this](net::TestServer::Peer& peer, int) { play(peer); }) {}

  void set(Fault fault) {
    MutexLock lock(mutex_);
    fault_ = std::move(fault);
  }
  [[nodiscard]] std::string url() const { return server_.url(); }

 private:
  void play(net::TestServer::Peer& peer) {
    const std::string request = peer.read_request();
    if (request.empty()) return;
    Fault fault;
    {
      MutexLock lock(mutex_);
      fault = fault_;
    }
    std::string answer = forward(request);
    if (fault) answer = fault(request.substr(0, request.find("\r\n")), std::move(answer));
    peer.send(answer);
    if (answer.empty()) peer.cut();
  }

  // Of one connection the server gives one answer, up to its end.
  std::string forward(std::string request) {
    request.insert(request.find("\r\n") + 2, "Connection: close\r\n");
    const TimePoint deadline = steady_clock().now() + std::chrono::seconds(30);
    auto socket = net::Socket::connect(server_url_.host, server_url_.port, deadline);
    if (!socket.ok() || !socket->write(request, {}, deadline).ok()) return {};
    std::string answer;
    std::vector<char> window(64 * 1024);
    for (;;) {
      const auto got = socket->read(window, deadline);
      if (!got.ok() || *got == 0) return answer;
      answer.append(window.data(), *got);
    }
  }

  const net::Url server_url_;
  Mutex mutex_;
  Fault fault_ GUARDED_BY(mutex_);
  net::TestServer server_;
};

std::string error_answer(int status, const std::string& code) {
  const std::string body = "<Error><Code>" + code + "</Code><Message>m</Message></Error>";
  return "HTTP/1.1 " + std::to_string(status) +
         " Error\r\nConnection: close\r\nContent-Length: " + std::to_string(body.size()) +
         "\r\n\r\n" + body;
}

std::string long_text(std::size_t size) {
  std::string out;
  for (std::size_t i = 0; out.size() < size; ++i) out += std::to_string(i * 2654435761U) + ' ';
  out.resize(size);
  return out;
}

std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

std::string digest_of(std::string_view text) {
  Digest digest;
  digest.add(bytes_of(text));
  return digest.finish();
}

class ArtifactS3Wire : public testing::Test {
 protected:
  void SetUp() override {
    if (!TemporaryArtifacts::available("s3")) GTEST_SKIP() << "CORTEX_TEST_S3";
    options_ = TemporaryArtifacts::s3_options();
    wire_ = std::make_unique<Wire>(options_.endpoint);
    S3Options over = options_;
    over.endpoint = wire_->url();
    over.timeout = std::chrono::milliseconds(3'000);
    auto opened = open_artifact_s3(over);
    ASSERT_TRUE(opened.ok()) << opened.status().to_string();
    store_ = std::move(opened).value();
    calls_ = *S3Calls::make(options_);
    objects_ = std::make_unique<S3Objects>(*calls_, S3Names(options_.prefix));
  }
  void TearDown() override {
    if (!wire_) return;
    wire_->set({});
    store_.reset();
    const auto rest = objects_->list(options_.prefix, {}, {});
    ASSERT_TRUE(rest.ok());
    for (const S3Item& item : rest->items) EXPECT_TRUE(objects_->remove(item.key).ok());
  }

  Result<Blob> put(std::string_view text) {
    CORTEX_ASSIGN_OR_RETURN(const auto writer, store_->begin());
    CORTEX_RETURN_IF_ERROR(writer->write(bytes_of(text)));
    return writer->finish();
  }
  // All keys, without the prefix, cut to what they are.
  std::vector<std::string> kinds_of_keys() {
    std::vector<std::string> out;
    const auto all = objects_->list(options_.prefix, {}, {});
    for (const S3Item& item : all->items) {
      const std::string rest = item.key.substr(options_.prefix.size() + 1);
      out.push_back(rest.substr(0, rest.find('/')));
    }
    return out;
  }
  std::size_t uploads() {
    return objects_->list_uploads(objects_->names().parts(), {})->items.size();
  }

  S3Options options_;
  std::unique_ptr<Wire> wire_;
  std::unique_ptr<ArtifactStore> store_;
  std::unique_ptr<S3Calls> calls_;  // without the wire
  std::unique_ptr<S3Objects> objects_;
};

TEST_F(ArtifactS3Wire, repeats_what_is_refused_for_now) {
  std::atomic<int> calls{0};
  wire_->set([&](const std::string&, std::string answer) {
    return ++calls % 2 == 1 ? error_answer(503, "SlowDown") : answer;
  });
  const std::string whole = long_text(6'000'000);
  const auto blob = put(whole);
  ASSERT_TRUE(blob.ok()) << blob.status().to_string();
  EXPECT_TRUE(check_blob(*store_, *blob).ok());
  const auto traffic = store_->traffic();
  ASSERT_TRUE(traffic);
  EXPECT_GE(traffic->repeats, 6U);
  EXPECT_EQ(traffic->failures, 0U);
  EXPECT_EQ(traffic->uploads, 1U);
  EXPECT_GE(traffic->bytes_sent, whole.size());
  EXPECT_GE(traffic->bytes_received, whole.size());
}

TEST_F(ArtifactS3Wire, goes_on_where_a_download_was_cut) {
  const std::string whole = long_text(9'000'000);
  const auto blob = put(whole);
  ASSERT_TRUE(blob.ok());
  std::atomic<int> downloads{0};
  wire_->set([&](const std::string& line, std::string answer) {
    if (line.find("list-type") != std::string::npos || ++downloads % 2 == 0) return answer;
    answer.resize(answer.size() / 2);
    return answer;
  });
  EXPECT_TRUE(check_blob(*store_, *blob).ok());
  const fs::path to = fs::temp_directory_path() / ("cortex-" + blob->digest);
  const Status status = store_->materialise(blob->digest, to);
  EXPECT_TRUE(status.ok()) << status.to_string();
  EXPECT_EQ(fs::file_size(to), whole.size());
  fs::remove(to);
  EXPECT_GE(store_->traffic()->repeats, 2U);
}

TEST_F(ArtifactS3Wire, answers_that_are_lost_change_nothing) {
  // Whatever the server did is done twice.
  std::set<std::string> seen;
  Mutex mutex;
  wire_->set([&](const std::string& line, std::string answer) {
    MutexLock lock(mutex);
    std::string what = line.substr(0, line.find('?'));
    for (const char* mark : {"uploads=", "partNumber=1", "partNumber=2", "uploadId="}) {
      if (line.find(mark) != std::string::npos) what += mark;
    }
    return seen.insert(what).second ? std::string() : answer;
  });
  const std::string whole = long_text(6'000'000);
  const auto blob = put(whole);
  ASSERT_TRUE(blob.ok()) << blob.status().to_string();
  EXPECT_TRUE(check_blob(*store_, *blob).ok());
  EXPECT_EQ(store_->list("", 10)->size(), 1U);
}

TEST_F(ArtifactS3Wire, a_wrong_etag_leaves_nothing_visible) {
  wire_->set([](const std::string& line, std::string answer) {
    if (line.find("partNumber=1") == std::string::npos) return answer;
    const std::size_t at = answer.find("ETag: \"");
    if (at != std::string::npos) answer.replace(at + 7, 4, "0000");
    return answer;
  });
  const std::string whole = long_text(6'000'000);
  EXPECT_EQ(put(whole).status().code(), Code::kInternal);
  EXPECT_TRUE(store_->list("", 10)->empty());
  EXPECT_EQ(uploads(), 0U);
  EXPECT_TRUE(kinds_of_keys().empty());
}

TEST_F(ArtifactS3Wire, wrong_bytes_are_noticed_and_leave_no_file) {
  const auto blob = put("0123456789");
  ASSERT_TRUE(blob.ok());
  wire_->set([](const std::string& line, std::string answer) {
    if (line.find("list-type") == std::string::npos) answer.back() = 'x';
    return answer;
  });
  const fs::path to = fs::temp_directory_path() / ("cortex-" + blob->digest);
  EXPECT_EQ(check_blob(*store_, *blob).code(), Code::kDataLoss);
  EXPECT_EQ(store_->materialise(blob->digest, to).code(), Code::kDataLoss);
  EXPECT_FALSE(fs::exists(to));
  EXPECT_EQ(store_->join(std::vector<Blob>{*blob}).status().code(), Code::kDataLoss);
}

TEST_F(ArtifactS3Wire, a_part_of_another_place_is_not_taken) {
  const auto blob = put(long_text(1'000'000));
  ASSERT_TRUE(blob.ok());
  wire_->set([](const std::string& line, std::string answer) {
    const std::size_t at = answer.find("Content-Range: bytes ");
    if (line.starts_with("GET") && at != std::string::npos) answer[at + 21] = '7';
    return answer;
  });
  EXPECT_EQ(check_blob(*store_, *blob).code(), Code::kDataLoss);
}

TEST_F(ArtifactS3Wire, a_store_that_goes_away_in_the_middle_leaves_what_the_sweep_takes) {
  const std::string whole = long_text(6'000'000);
  {
    const auto writer = store_->begin();
    ASSERT_TRUE(writer.value()->write(bytes_of(whole)).ok());
    wire_->set([](const std::string&, std::string) { return std::string(); });
    EXPECT_EQ(writer.value()->finish().status().code(), Code::kUnavailable);
    EXPECT_EQ(store_->open(digest_of(whole)).status().code(), Code::kUnavailable);
  }
  wire_->set({});
  EXPECT_TRUE(store_->list("", 10)->empty());
  EXPECT_GE(store_->traffic()->failures, 2U);
  ASSERT_TRUE(store_->sweep({}).ok());
  EXPECT_EQ(uploads(), 0U);
  EXPECT_TRUE(kinds_of_keys().empty());
}

TEST_F(ArtifactS3Wire, bytes_that_got_no_name_are_swept_once_they_are_old) {
  std::atomic<bool> refuse{true};
  wire_->set([&](const std::string& line, std::string answer) {
    // The name reaches the server, and the store does not hear of it: it may be there, so it stays.
    const bool name = line.starts_with("PUT") && line.find("/sha256/") != std::string::npos;
    return name && refuse ? std::string() : answer;
  });
  const std::string whole = long_text(6'000'000);
  EXPECT_EQ(put(whole).status().code(), Code::kUnavailable);
  refuse = false;
  const Blob blob{digest_of(whole), whole.size()};
  EXPECT_TRUE(check_blob(*store_, blob).ok());
  // Without the name, which is what a kill just before it leaves:
  const auto found = objects_->find(blob.digest);
  for (const S3Found& one : *found) {
    ASSERT_TRUE(objects_->remove(objects_->names().key(one.name)).ok());
  }
  EXPECT_EQ(store_->sweep(std::chrono::hours(24)).value(), 0U);
  EXPECT_EQ(store_->sweep({}).value(), whole.size());
  EXPECT_TRUE(kinds_of_keys().empty());
}

TEST_F(ArtifactS3Wire, a_sweep_aborts_uploads_that_died) {
  const std::string key = objects_->names().parts_key(std::string(32, 'e'));
  const auto upload = objects_->begin_upload(key);
  ASSERT_TRUE(upload.ok());
  ASSERT_TRUE(objects_->put_part(key, *upload, 1, long_text(5'500'000)).ok());
  ASSERT_TRUE(store_->sweep(std::chrono::hours(24)).ok());
  EXPECT_EQ(uploads(), 1U);
  ASSERT_TRUE(store_->sweep({}).ok());
  EXPECT_EQ(uploads(), 0U);
}

TEST_F(ArtifactS3Wire, a_reader_goes_on_with_other_bytes_of_the_same_digest) {
  const std::string whole = long_text(1'000'000);
  const auto blob = put(whole);
  const auto reader = store_->open(blob->digest);
  ASSERT_TRUE(reader.ok());
  const auto before = objects_->find(blob->digest);
  ASSERT_TRUE(put(whole).ok());
  for (const S3Found& one : *before) {
    ASSERT_TRUE(objects_->remove(objects_->names().bytes_key(one.name)).ok());
  }
  std::string out(whole.size(), '\0');
  const auto got = reader.value()->read(0, std::as_writable_bytes(std::span(out)));
  ASSERT_TRUE(got.ok()) << got.status().to_string();
  EXPECT_TRUE(out == whole);
}

TEST_F(ArtifactS3Wire, a_full_store_says_so) {
  wire_->set([](const std::string& line, std::string answer) {
    return line.starts_with("PUT") ? error_answer(507, "InsufficientStorage") : answer;
  });
  EXPECT_EQ(put("x").status().code(), Code::kResourceExhausted);
}

TEST_F(ArtifactS3Wire, wrong_credentials_are_named_without_their_secret) {
  S3Options wrong = options_;
  wrong.credentials.secret = "not-the-secret";
  const auto opened = open_artifact_s3(wrong);
  ASSERT_EQ(opened.status().code(), Code::kInternal);
  EXPECT_THAT(opened.status().to_string(), HasSubstr("SignatureDoesNotMatch"));
  EXPECT_THAT(opened.status().to_string(), Not(HasSubstr("not-the-secret")));
  wrong = options_;
  wrong.bucket = "nobody";
  EXPECT_THAT(open_artifact_s3(wrong).status().text(), HasSubstr("'nobody'"));
}

TEST_F(ArtifactS3Wire, anybody_reads_a_presigned_blob_and_nothing_else) {
  const auto blob = put("for everybody");
  const auto url = store_->presign(*blob, std::chrono::seconds(60));
  ASSERT_TRUE(url.ok());
  const auto pool = net::HttpPool::make({});
  net::HttpRequest request;
  request.url = *url;
  EXPECT_EQ(pool.value()->send(request)->body, "for everybody");
  request.url = url->substr(0, url->find('?'));
  EXPECT_EQ(pool.value()->send(request)->status, 403);
  request.url = *url + "0";
  EXPECT_EQ(pool.value()->send(request)->status, 403);
}

}  // namespace
}  // namespace cortex::store
