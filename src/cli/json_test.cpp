// SPDX-License-Identifier: Apache-2.0
#include "cli/detail/json.h"

#include <array>
#include <charconv>
#include <cmath>
#include <fstream>
#include <random>
#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/command_line.h"
#include "net/testing/test_server.h"

namespace cortex::cli {
namespace {

using net::TestServer;
using testing::HasSubstr;

// `count` random doubles as a server writes them, in one line.
std::string random_doubles(int count) {
  std::mt19937_64 random(3);
  std::uniform_real_distribution<double> mantissa(-1, 1);
  std::uniform_int_distribution<int> exponent(-300, 300);
  std::string out;
  for (int i = 0; i < count; ++i) {
    const int power = i % 2 == 0 ? exponent(random) : 0;
    std::array<char, 32> text{};
    const auto end =
        std::to_chars(text.data(), text.data() + text.size(), std::ldexp(mantissa(random), power));
    out.append(out.empty() ? "" : ",").append(text.data(), end.ptr);
  }
  return out;
}

TestServer server_of(const std::string& answer) {
  return TestServer([answer](TestServer::Peer& peer, int) {
    peer.read_request();
    peer.send("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: ");
    peer.send(std::to_string(answer.size()) + "\r\n\r\n" + answer);
  });
}

// What the command prints.
std::string printed(std::vector<std::string> words, const TestServer& server) {
  words.insert(words.begin(), "cortex");
  words.insert(words.end(), {"--url", server.url()});
  std::vector<const char*> arguments;
  for (const std::string& word : words) arguments.push_back(word.c_str());
  const Hooks none;
  std::ostringstream out;
  std::ostringstream err;
  const int code = run(static_cast<int>(arguments.size()), arguments.data(), none, out, err);
  EXPECT_EQ(code, kSuccess) << err.str();
  return out.str();
}

TEST(Json, what_is_read_is_written_with_the_same_numbers) {
  const std::string list = "[" + random_doubles(1024) + "]";
  const auto value = detail::parse_json(list, "the list");
  ASSERT_TRUE(value.ok()) << value.status().to_string();
  EXPECT_EQ(detail::pretty(*value), list + "\n");
}

TEST(Json, what_is_none_is_named) {
  EXPECT_EQ(
      detail::parse_json("[1", "the list").status().text(), "the list is not JSON: incomplete JSON"
  );
  EXPECT_EQ(detail::parse_json("[] x", "the list").status().code(), Code::kFailedPrecondition);
}

TEST(Json, embed_prints_the_numbers_that_the_server_sent) {
  const std::string list = "[" + random_doubles(1024) + "]";
  const TestServer server = server_of(R"({"data":[{"embedding":)" + list + "}]}");
  EXPECT_THAT(printed({"embed", "a", "--model", "m", "--json"}, server), HasSubstr(list));
}

TEST(Json, infer_prints_the_numbers_that_the_server_sent) {
  const std::string list = "[" + random_doubles(1024) + "]";
  const TestServer server = server_of(R"({"outputs":[{"name":"y","data":)" + list + "}]}");
  const std::string request = testing::TempDir() + "cortex_cli_json_test.json";
  std::ofstream(request) << "{}";
  EXPECT_THAT(printed({"infer", "m", "--json", request}, server), HasSubstr(list));
}

}  // namespace
}  // namespace cortex::cli
