// SPDX-License-Identifier: Apache-2.0
#include "frontend/http/request_reader.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace cortex::frontend {
namespace {

constexpr std::size_t kHeaderLimit = 2048;
constexpr std::size_t kBodyLimit = 100'000;

// What a reader made of some bytes: each request as "METHOD path body", and at the end the status
// of a refusal.
struct Reading {
  std::vector<std::string> requests;
  int refused = 0;
  RequestReader::Phase phase = RequestReader::Phase::kIdle;

  bool operator==(const Reading&) const = default;
};

void advance(RequestReader& reader, Reading& reading, bool streamed, std::string& body) {
  for (;;) {
    switch (reader.advance()) {
      case RequestReader::Event::kNeedMore:
        return;
      case RequestReader::Event::kHead:
        body.clear();
        if (!streamed) reader.accept_body(kBodyLimit);
        if (streamed) (void)reader.stream_body(kBodyLimit);
        break;
      case RequestReader::Event::kPart:
        body += reader.part();
        break;
      case RequestReader::Event::kRequest: {
        const HttpRequest& request = reader.request();
        reading.requests.push_back(
            request.path + " " + (streamed ? body : std::string(request.body->text()))
        );
        reader.next();
        break;
      }
      case RequestReader::Event::kRefused:
        reading.refused = reader.fault().http_status;
        return;
    }
  }
}

Reading read_in_slices(std::string_view bytes, std::size_t slice, bool streamed = false) {
  std::string body;
  RequestReader reader(kHeaderLimit, std::make_shared<BodyBudget>(1'000'000));
  Reading reading;
  while (!bytes.empty() && reading.refused == 0) {
    const std::span<char> space = reader.space();
    const std::size_t size = std::min({slice, space.size(), bytes.size()});
    if (size == 0) {
      ADD_FAILURE() << "the reader wants more but takes nothing";
      break;
    }
    std::memcpy(space.data(), bytes.data(), size);
    reader.commit(size);
    bytes.remove_prefix(size);
    advance(reader, reading, streamed, body);
  }
  reading.phase = reader.phase();
  return reading;
}

// The same however the bytes are sliced, and whether bodies come whole or in parts.
Reading read(std::string_view bytes) {
  const Reading whole = read_in_slices(bytes, bytes.size());
  for (const std::size_t slice : {1U, 2U, 3U, 7U, 64U}) {
    EXPECT_EQ(read_in_slices(bytes, slice), whole) << "in slices of " << slice << ":\n" << bytes;
    EXPECT_EQ(read_in_slices(bytes, slice, true), whole) << "in parts, by " << slice << ":\n"
                                                         << bytes;
  }
  return whole;
}

std::string chunked(std::string_view body) {
  return "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + std::string(body);
}

TEST(RequestReader, reads_requests_one_behind_the_other) {
  const Reading reading = read(
      "GET /a?q=1 HTTP/1.1\r\nHost: x\r\n\r\n"
      "POST /b HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello"
      "\r\n"
      "POST /c HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
      "GET http://x/d%20e HTTP/1.0\r\n\r\n"
  );
  EXPECT_EQ(reading.requests, (std::vector<std::string>{"/a ", "/b hello", "/c abc", "/d e "}));
  EXPECT_EQ(reading.refused, 0);
  EXPECT_EQ(reading.phase, RequestReader::Phase::kIdle);
}

TEST(RequestReader, says_what_it_waits_for) {
  EXPECT_EQ(read("").phase, RequestReader::Phase::kIdle);
  EXPECT_EQ(read("\r\n").phase, RequestReader::Phase::kHeader);
  EXPECT_EQ(read("GET /").phase, RequestReader::Phase::kHeader);
  EXPECT_EQ(
      read("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhell").phase,
      RequestReader::Phase::kBody
  );
}

struct RefusedCase {
  const char* what;
  int status;
  std::string bytes;
};

// Requests on whose end, host or meaning two readers could disagree, and plain nonsense.
TEST(RequestReader, refuses_what_could_be_read_in_two_ways) {
  const std::string start = "POST / HTTP/1.1\r\nHost: x\r\n";
  const std::vector<RefusedCase> cases{
      {"length and chunks", 400, start + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"},
      {"chunks and length", 400, start + "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n"},
      {"identity and length",
       501,
       start + "Transfer-Encoding: identity\r\nContent-Length: 5\r\n\r\n"},
      {"two lengths", 400, start + "Content-Length: 5\r\nContent-Length: 6\r\n\r\n"},
      {"one length twice", 400, start + "Content-Length: 5\r\nContent-Length: 5\r\n\r\n"},
      {"a list of lengths", 400, start + "Content-Length: 5, 5\r\n\r\n"},
      {"a signed length", 400, start + "Content-Length: +5\r\n\r\n"},
      {"a negative length", 400, start + "Content-Length: -5\r\n\r\n"},
      {"a hexadecimal length", 400, start + "Content-Length: 0x5\r\n\r\n"},
      {"an empty length", 400, start + "Content-Length:\r\n\r\n"},
      {"a length beyond 64 bits", 400, start + "Content-Length: 18446744073709551616\r\n\r\n"},
      {"a length over the limit", 413, start + "Content-Length: 100001\r\n\r\n"},
      {"two codings", 501, start + "Transfer-Encoding: gzip, chunked\r\n\r\n"},
      {"chunked twice",
       400,
       start + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n"},
      {"chunked in a list twice", 501, start + "Transfer-Encoding: chunked, chunked\r\n\r\n"},
      {"a coding in quotes", 501, start + "Transfer-Encoding: \"chunked\"\r\n\r\n"},
      {"chunks in HTTP/1.0", 400, "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"},
      {"no host", 400, "GET / HTTP/1.1\r\n\r\n"},
      {"two hosts", 400, start + "Host: y\r\n\r\n"},
      {"a host with a path", 400, "GET / HTTP/1.1\r\nHost: x/y\r\n\r\n"},
      {"a host with a user", 400, "GET / HTTP/1.1\r\nHost: u@x\r\n\r\n"},
      {"a folded header", 400, start + "A: b\r\n c\r\n\r\n"},
      {"a header folded by a tab", 400, start + "A: b\r\n\tc\r\n\r\n"},
      {"a blank before the first header", 400, "GET / HTTP/1.1\r\n Host: x\r\n\r\n"},
      {"a blank before the colon", 400, start + "Content-Length : 5\r\n\r\n"},
      {"a header without a colon", 400, start + "Content-Length\r\n\r\n"},
      {"a header without a name", 400, start + ": 5\r\n\r\n"},
      {"a bare LF", 400, "GET / HTTP/1.1\nHost: x\r\n\r\n"},
      {"a bare LF in a header", 400, start + "A: b\nContent-Length: 5\r\n\r\n"},
      {"a bare LF at the end", 400, start + "\n"},
      {"a bare CR", 400, start + "A: b\rContent-Length: 5\r\n\r\n"},
      {"a NUL in a header", 400, start + std::string("A: b\0c\r\n\r\n", 10)},
      {"a control in a header",
       400,
       start + "A: b\x01"
               "c\r\n\r\n"},
      {"a DEL in a header",
       400,
       start + "A: b\x7F"
               "c\r\n\r\n"},
      {"a NUL in the target", 400, std::string("GET /\0 HTTP/1.1\r\nHost: x\r\n\r\n", 28)},
      {"a decoded NUL in the target", 400, "GET /%00 HTTP/1.1\r\nHost: x\r\n\r\n"},
      {"a decoded line end in the target", 400, "GET /%0d%0a HTTP/1.1\r\nHost: x\r\n\r\n"},
      {"a broken escape", 400, "GET /%4 HTTP/1.1\r\nHost: x\r\n\r\n"},
      {"a blank in the target", 400, "GET /a b HTTP/1.1\r\nHost: x\r\n\r\n"},
      {"a fragment", 400, "GET /a#b HTTP/1.1\r\nHost: x\r\n\r\n"},
      {"no target", 400, "GET  HTTP/1.1\r\nHost: x\r\n\r\n"},
      {"HTTP/0.9", 400, "GET /\r\n\r\n"},
      {"HTTP/2", 505, "GET / HTTP/2.0\r\nHost: x\r\n\r\n"},
      {"the preface of HTTP/2", 505, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"},
      {"TLS", 400, std::string("\x16\x03\x01\x02", 4)},
      {"three empty lines", 400, "\r\n\r\n\r\n"},
      {"CONNECT", 501, "CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n"},
      {"a method of its own", 501, "BREW / HTTP/1.1\r\nHost: x\r\n\r\n"},
      {"a star that is no OPTIONS", 400, "GET * HTTP/1.1\r\nHost: x\r\n\r\n"},
      {"another expectation", 417, start + "Expect: coffee\r\n\r\n"},
      {"another content coding", 415, start + "Content-Encoding: br\r\n\r\n"},
      {"two content codings",
       415,
       start + "Content-Encoding: gzip\r\nContent-Encoding: gzip\r\n\r\n"},
      {"a broken length of the inference header",
       400,
       start + "Inference-Header-Content-Length: x\r\n\r\n"},
      {"a chunk without a size", 400, chunked("\r\n")},
      {"a chunk size with a sign", 400, chunked("-1\r\n")},
      {"a chunk size with 0x", 400, chunked("0x5\r\nhello\r\n")},
      {"a chunk size beyond 64 bits", 400, chunked("10000000000000000\r\n")},
      {"a chunk over the limit", 413, chunked("186A1\r\n" + std::string(100'001, 'x'))},
      {"a chunk longer than it says", 400, chunked("3\r\nhello\r\n")},
      {"a chunk that ends in LF", 400, chunked("5\nhello\r\n0\r\n\r\n")},
      {"chunk data that end in LF", 400, chunked("5\r\nhello\n0\r\n\r\n")},
      {"a bare LF in an extension", 400, chunked("5;a=\"\n\"\r\nhello\r\n0\r\n\r\n")},
      {"endless extensions", 400, chunked("5;" + std::string(20'000, 'a'))},
      {"endless trailers", 400, chunked("0\r\nA: " + std::string(20'000, 'a'))},
      {"endless zeros", 400, chunked(std::string(20'000, '0'))},
      {"a NUL in a trailer", 400, chunked(std::string("0\r\nA: \0\r\n\r\n", 11))},
  };
  for (const RefusedCase& one : cases) {
    const Reading reading = read(one.bytes);
    EXPECT_EQ(reading.refused, one.status) << one.what;
    EXPECT_TRUE(reading.requests.empty()) << one.what;
  }
}

TEST(RequestReader, a_long_header_and_a_long_target_are_told_apart) {
  const std::string filler(kHeaderLimit, 'a');
  EXPECT_EQ(read("GET /" + filler + " HTTP/1.1\r\nHost: x\r\n\r\n").refused, 414);
  EXPECT_EQ(read("GET / HTTP/1.1\r\nHost: x\r\nA: " + filler + "\r\n\r\n").refused, 431);
  std::string many = "GET / HTTP/1.1\r\nHost: x\r\n";
  for (int i = 0; i < 200; ++i) many += "A:\r\n";
  EXPECT_EQ(read(many).refused, 431);
}

TEST(RequestReader, a_header_of_exactly_the_limit_passes) {
  const std::string frame = "GET / HTTP/1.1\r\nHost: x\r\nA: \r\n\r\n";
  const std::string fits(kHeaderLimit - frame.size(), 'a');
  EXPECT_EQ(read("GET / HTTP/1.1\r\nHost: x\r\nA: " + fits + "\r\n\r\n").requests.size(), 1U);
  EXPECT_EQ(read("GET / HTTP/1.1\r\nHost: x\r\nA: " + fits + "a\r\n\r\n").refused, 431);
}

TEST(RequestReader, values_are_trimmed_and_names_in_lower_case) {
  RequestReader reader(kHeaderLimit, std::make_shared<BodyBudget>(0));
  const std::string_view bytes = "GET / HTTP/1.1\r\nHOST: x\r\nX-Some:  a b\t \r\n\r\n";
  std::memcpy(reader.space().data(), bytes.data(), bytes.size());
  reader.commit(bytes.size());
  ASSERT_EQ(reader.advance(), RequestReader::Event::kHead);
  EXPECT_EQ(reader.request().header("x-some"), "a b");
  EXPECT_EQ(reader.request().header("host"), "x");
  EXPECT_EQ(reader.request().header("absent"), "");
}

TEST(RequestReader, an_announced_body_takes_nothing_of_the_budget_before_it_comes) {
  const auto budget = std::make_shared<BodyBudget>(1'000'000);
  RequestReader reader(kHeaderLimit, budget);
  const std::string_view bytes = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 90000\r\n\r\n";
  std::memcpy(reader.space().data(), bytes.data(), bytes.size());
  reader.commit(bytes.size());
  ASSERT_EQ(reader.advance(), RequestReader::Event::kHead);
  reader.accept_body(kBodyLimit);
  ASSERT_EQ(reader.advance(), RequestReader::Event::kNeedMore);
  EXPECT_EQ(budget->used(), 0U);
  EXPECT_EQ(reader.space().size(), 90000U);
  reader.commit(80000);
  EXPECT_GE(budget->used(), 80000U);
}

}  // namespace
}  // namespace cortex::frontend
