// SPDX-License-Identifier: Apache-2.0
#include <atomic>
#include <map>
#include <set>
#include <sstream>

#include <boost/json/parse.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/bench/language_load.h"
#include "cli/bench/language_report.h"
#include "cli/bench/language_work.h"
#include "cli/command_line.h"
#include "net/testing/test_server.h"

namespace cortex::cli::bench {
namespace {

using testing::HasSubstr;
using testing::Not;

LanguageWorkOptions options_for(LanguageWorkload workload) {
  LanguageWorkOptions out;
  out.model = "m";
  out.workload = workload;
  out.long_tokens = 500;
  return out;
}

std::string prompt_of(const LanguageAsk& ask) {
  return std::string(boost::json::parse(ask.body).at("prompt").as_string());
}

std::size_t words_in(const std::string& text) {
  return static_cast<std::size_t>(std::ranges::count(text, ' ')) + 1;
}

TEST(LanguageWork, asks_the_same_for_the_same_seed_and_never_twice_the_same) {
  auto options = options_for(LanguageWorkload::kChat);
  std::set<std::string> bodies;
  for (std::size_t i = 0; i < 200; ++i) {
    const auto ask = language_ask(options, i);
    EXPECT_EQ(ask.body, language_ask(options, i).body);
    bodies.insert(ask.body);
  }
  EXPECT_EQ(bodies.size(), 200u);
  options.seed = 2;
  EXPECT_FALSE(bodies.contains(language_ask(options, 0).body));
}

TEST(LanguageWork, spreads_lengths_around_their_median_within_bounds) {
  const auto options = options_for(LanguageWorkload::kChat);
  std::vector<std::size_t> prompts;
  std::vector<std::size_t> outputs;
  for (std::size_t i = 0; i < 1001; ++i) {
    const auto ask = language_ask(options, i);
    prompts.push_back(words_in(prompt_of(ask)));
    outputs.push_back(ask.output_tokens);
  }
  for (auto* lengths : {&prompts, &outputs}) {
    std::ranges::sort(*lengths);
    EXPECT_GE(lengths->front(), 4u);
    EXPECT_LE(lengths->back(), 512u);
    EXPECT_NEAR(static_cast<double>((*lengths)[500]), 64, 8);
    EXPECT_GT((*lengths)[900], 2 * (*lengths)[500]);
  }
}

TEST(LanguageWork, mixes_long_prompts_in_at_their_share) {
  const auto options = options_for(LanguageWorkload::kLongPrompt);
  for (std::size_t i = 0; i < 64; ++i) {
    const auto ask = language_ask(options, i);
    EXPECT_STREQ(ask.kind, i % 16 == 15 ? "long" : "chat");
    if (i % 16 == 15) {
      EXPECT_EQ(words_in(prompt_of(ask)), 500u);
    }
  }
}

TEST(LanguageWork, puts_questions_of_their_own_behind_a_few_prefixes) {
  const auto options = options_for(LanguageWorkload::kSharedPrefix);
  std::set<std::string> prefixes;
  std::set<std::string> prompts;
  for (std::size_t i = 0; i < 100; ++i) {
    const std::string prompt = prompt_of(language_ask(options, i));
    prefixes.insert(prompt.substr(0, 2000));  // less than 500 words have
    prompts.insert(prompt);
  }
  EXPECT_EQ(prefixes.size(), 4u);
  EXPECT_EQ(prompts.size(), 100u);
  const std::string other_load = prompt_of(language_ask(options, kRequestsOfALoad));
  EXPECT_FALSE(prefixes.contains(other_load.substr(0, 2000)));
}

std::string model_of(const LanguageAsk& ask) {
  return std::string(boost::json::parse(ask.body).at("model").as_string());
}

TEST(LanguageWork, asks_for_adapters_by_zipfs_law) {
  auto options = options_for(LanguageWorkload::kAdapters);
  options.adapters = {"a", "b", "c", "d"};
  std::map<std::string, int> asked;
  for (std::size_t i = 0; i < 2500; ++i) {
    const auto ask = language_ask(options, i);
    ++asked[model_of(ask)];
    EXPECT_STREQ(ask.kind, model_of(ask) == "a" ? "popular" : "rare");
  }
  // In proportion to 1, 1/2, 1/3 and 1/4, which are 25/12 together.
  EXPECT_NEAR(asked["a"], 1200, 100);
  EXPECT_NEAR(asked["b"], 600, 80);
  EXPECT_NEAR(asked["c"], 400, 70);
  EXPECT_NEAR(asked["d"], 300, 60);
  options.adapter_skew = 0;
  asked.clear();
  for (std::size_t i = 0; i < 2000; ++i) ++asked[model_of(language_ask(options, i))];
  EXPECT_NEAR(asked["d"], 500, 80) << "without a skew all are alike";
}

TEST(LanguageWork, lets_a_share_of_the_clients_leave_within_their_answers) {
  auto options = options_for(LanguageWorkload::kChat);
  const std::string body = language_ask(options, 3).body;
  options.leaving = 0.3;
  int leaving = 0;
  for (std::size_t i = 0; i < 1000; ++i) {
    const auto ask = language_ask(options, i);
    leaving += ask.leaves_after > 0 ? 1 : 0;
    EXPECT_LT(ask.leaves_after, ask.output_tokens);
  }
  EXPECT_NEAR(leaving, 300, 50);
  EXPECT_EQ(language_ask(options, 3).body, body) << "they ask for the same";
}

TEST(LanguageConversation, says_again_what_was_said_and_begins_anew_after_its_turns) {
  auto options = options_for(LanguageWorkload::kMultiTurn);
  options.turns = 2;
  LanguageConversation conversation(options);
  const auto first = conversation.ask(1);
  EXPECT_STREQ(first.kind, "first");
  conversation.hear(" and the answer");
  const auto later = conversation.ask(2);
  EXPECT_STREQ(later.kind, "later");
  EXPECT_TRUE(prompt_of(later).starts_with(prompt_of(first) + " and the answer\n"));
  conversation.hear("the end");
  const auto anew = conversation.ask(3);
  EXPECT_STREQ(anew.kind, "first");
  EXPECT_THAT(prompt_of(anew), Not(HasSubstr("answer")));
}

TEST(LanguageConversation, begins_anew_when_it_was_broken_off) {
  const auto options = options_for(LanguageWorkload::kMultiTurn);
  LanguageConversation conversation(options);
  const auto first = conversation.ask(1);
  conversation.hear(" and the answer");
  const auto second = conversation.ask(2);
  conversation.break_off();
  EXPECT_STREQ(conversation.ask(3).kind, "first");
}

TEST(LanguageConversation, thinks_for_as_long_as_asked_on_average) {
  auto options = options_for(LanguageWorkload::kMultiTurn);
  options.think_seconds = 3;
  LanguageConversation conversation(options);
  double seconds = 0;
  std::set<Duration> pauses;
  for (std::size_t i = 0; i < 1000; ++i) {
    static_cast<void>(conversation.ask(i));
    const Duration pause = conversation.hear("");
    pauses.insert(pause);
    seconds += std::chrono::duration<double>(pause).count();
  }
  EXPECT_NEAR(seconds / 1000, 3, 0.4);
  EXPECT_GT(pauses.size(), 990u);
}

LanguageSample sample(double first, double total, std::uint64_t tokens, std::vector<double> gaps) {
  LanguageSample out;
  out.kind = "chat";
  out.first_seconds = first;
  out.total_seconds = total;
  out.output_tokens = tokens;
  out.prompt_tokens = 10;
  out.gaps = std::move(gaps);
  return out;
}

TEST(LanguageReport, counts_a_request_as_good_when_it_meets_every_bound) {
  const LanguageSample answer = sample(0.5, 2.5, 5, {0.1, 0.9, 0.5, 0.5});
  EXPECT_TRUE(LanguageSlo().met_by(answer));
  EXPECT_TRUE((LanguageSlo{0.5, 0.5, 0.9}.met_by(answer)));
  EXPECT_FALSE((LanguageSlo{0.49, {}, {}}.met_by(answer)));
  EXPECT_FALSE((LanguageSlo{{}, 0.49, {}}.met_by(answer)));
  EXPECT_FALSE((LanguageSlo{{}, {}, 0.89}.met_by(answer)));
  LanguageSample refused;
  refused.error_code = "429";
  EXPECT_FALSE(LanguageSlo().met_by(refused));
}

TEST(LanguageReport, has_a_row_for_each_kind_and_one_for_all_with_errors_by_code) {
  LanguageLoad load;
  load.seconds = 10;
  for (int i = 1; i <= 10; ++i) load.samples.push_back(sample(i, 2 * i, 3, {0.5, 0.25}));
  load.samples.push_back(sample(1, 30, 2, {29}));
  load.samples.back().kind = "long";
  for (const char* code : {"429", "503", "429"}) {
    load.samples.emplace_back();
    load.samples.back().kind = "chat";
    load.samples.back().error_code = code;
    load.samples.back().error = std::string("refused with ") + code;
  }
  const auto rows = rows_of(load, "1/s", {5.0, {}, {}});
  ASSERT_EQ(rows.size(), 3u);
  const LanguageRow& all = rows[0];
  const LanguageRow& chat = rows[1];
  EXPECT_EQ(all.kind, "all");
  EXPECT_EQ(all.done, 11u);
  EXPECT_EQ(chat.kind, "chat");
  EXPECT_EQ(chat.done, 10u);
  EXPECT_EQ(chat.good, 5u);
  EXPECT_EQ(chat.rate(chat.good), 0.5);
  EXPECT_EQ(chat.first.p50, 5);
  EXPECT_EQ(chat.first.p90, 9);
  EXPECT_EQ(chat.first.p99, 10);
  EXPECT_EQ(chat.tpot.p50, 2.5);
  EXPECT_EQ(chat.gap.p50, 0.25);
  EXPECT_EQ(chat.gap_max, 0.5);
  EXPECT_EQ(chat.errors, (std::map<std::string, std::size_t>{{"429", 2}, {"503", 1}}));
  EXPECT_EQ(chat.first_error, "refused with 429");
  EXPECT_EQ(rows[2].kind, "long");
}

TEST(LanguageReport, counts_who_left_apart_from_answers_and_errors) {
  LanguageLoad load;
  load.seconds = 10;
  load.samples.push_back(sample(1, 2, 3, {0.5, 0.5}));
  load.samples.push_back(sample(9, 0, 2, {8}));
  load.samples.back().left = true;
  EXPECT_FALSE(LanguageSlo().met_by(load.samples.back()));
  const auto rows = rows_of(load, "1/s", {});
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_EQ(rows[0].done, 1u);
  EXPECT_EQ(rows[0].good, 1u);
  EXPECT_EQ(rows[0].left, 1u);
  EXPECT_EQ(rows[0].error_count(), 0u);
  EXPECT_EQ(rows[0].first.p99, 1);
  std::ostringstream out;
  LanguageReport report;
  report.rows = rows;
  print_language_table(out, report);
  EXPECT_THAT(out.str(), HasSubstr("1 left"));
}

TEST(LanguageLoad, waits_between_answers_but_not_beyond_its_end) {
  const auto answer = [](std::size_t, std::size_t, TimePoint) { return sample(0, 0, 1, {}); };
  const auto load = run_language_closed(1, std::chrono::milliseconds(50), answer, [](std::size_t) {
    return std::chrono::hours(1);
  });
  EXPECT_EQ(load.samples.size(), 1u);
  EXPECT_GE(load.seconds, 0.05);
  EXPECT_LT(load.seconds, 30);
}

TEST(LanguageLoad, counts_from_when_a_request_was_due_however_late_it_was_sent) {
  // Three are due at once, one worker: the second begins when the first is over.
  const std::vector<double> schedule(3, 0.0);
  std::vector<double> late;
  const auto load = run_language_open(1, schedule, [&](std::size_t, std::size_t, TimePoint due) {
    const TimePoint sent = steady_clock().now();
    while (steady_clock().now() < sent + std::chrono::milliseconds(5)) {
    }
    LanguageSample out = sample(0, 0, 1, {});
    out.late_seconds = std::chrono::duration<double>(sent - due).count();
    late.push_back(out.late_seconds);
    return out;
  });
  EXPECT_EQ(load.samples.size(), 3u);
  EXPECT_GE(late[1], 0.005);
  EXPECT_GE(late[2], 0.010);
  EXPECT_GE(load.seconds, 0.015);
}

std::string streamed(int tokens) {
  std::string body;
  for (int i = 0; i < tokens; ++i) body += "data: {\"choices\":[{\"text\":\"a\"}]}\n\n";
  body += "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":8,\"completion_tokens\":" +
          std::to_string(tokens) + ",\"prompt_tokens_details\":{\"cached_tokens\":2}}}\n\n";
  body += "data: [DONE]\n\n";
  return "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

// Answers completions, refuses all on the second connection, and has metrics.
void play_server(net::TestServer::Peer& peer, int connection) {
  for (;;) {
    const std::string request = peer.read_request();
    if (request.empty()) return;
    if (request.starts_with("GET /metrics")) {
      peer.send("HTTP/1.1 200 OK\r\nContent-Length: 31\r\n\r\n\nprocess_cpu_seconds_total 1.25\n");
    } else if (connection == 1) {
      peer.send("HTTP/1.1 429 Too Many\r\nContent-Length: 24\r\n\r\n{\"error\":\"slow down now\"}");
    } else {
      peer.send(streamed(3));
    }
  }
}

int bench_llm(const net::TestServer& server, std::vector<const char*> more, std::ostream& out) {
  const std::string url = server.url();
  std::vector<const char*> arguments{"cortex", "bench", "llm", "m", "--url", url.c_str()};
  arguments.insert(arguments.end(), more.begin(), more.end());
  const Hooks none;
  std::ostringstream err;
  const int code = run(static_cast<int>(arguments.size()), arguments.data(), none, out, err);
  EXPECT_EQ(err.str(), "");
  return code;
}

TEST(BenchLlm, measures_a_server_and_prints_json) {
  net::TestServer server(&play_server);
  std::ostringstream out;
  const int code = bench_llm(
      server, {"--concurrency", "2", "--duration", "0.05", "--slo-ttft", "60", "--json"}, out
  );
  EXPECT_EQ(code, kSuccess);
  const auto report = boost::json::parse(out.str());
  EXPECT_EQ(report.at("slo").at("ttft_seconds").to_number<double>(), 60);
  const auto& row = report.at("rows").at(0).as_object();
  EXPECT_EQ(row.at("load").as_string(), "2 clients");
  EXPECT_GE(row.at("done").as_int64(), 1);
  EXPECT_EQ(row.at("good").as_int64(), row.at("done").as_int64());
  EXPECT_EQ(row.at("output_tokens").as_int64(), 3 * row.at("done").as_int64());
  EXPECT_EQ(row.at("cached_tokens").as_int64(), 2 * row.at("done").as_int64());
  EXPECT_GE(row.at("errors").at("429").as_int64(), 1);
  EXPECT_THAT(std::string(row.at("first_error").as_string()), HasSubstr("slow down now"));
  const std::string asked = server.received();
  EXPECT_THAT(asked, HasSubstr("POST /v1/completions"));
  EXPECT_THAT(asked, HasSubstr("\"ignore_eos\":true,\"stream\":true"));
}

TEST(BenchLlm, prints_a_table_of_an_open_loop_and_of_a_flood) {
  net::TestServer server(&play_server);
  std::ostringstream out;
  EXPECT_EQ(
      bench_llm(server, {"--rate", "200,0.5", "--duration", "0.1", "--in-flight", "1"}, out),
      kSuccess
  );
  EXPECT_THAT(out.str(), HasSubstr("200/s          chat"));
  EXPECT_THAT(out.str(), HasSubstr("every whole answer is good"));
  net::TestServer flooded([](net::TestServer::Peer& peer, int) { play_server(peer, 0); });
  out.str("");
  EXPECT_EQ(
      bench_llm(
          flooded,
          {"--workload",
           "flood",
           "--flood-clients",
           "3",
           "--flood-key",
           "loud",
           "--duration",
           "0.05"},
          out
      ),
      kSuccess
  );
  EXPECT_THAT(out.str(), HasSubstr("one alone"));
  EXPECT_THAT(out.str(), HasSubstr("one beside"));
  EXPECT_THAT(out.str(), HasSubstr("3 flooding"));
  EXPECT_THAT(flooded.received(), HasSubstr("Authorization: Bearer loud"));
}

// The number of a row's something over all rows with this load.
std::int64_t sum_of(const boost::json::value& report, const std::string& load, const char* what) {
  std::int64_t out = 0;
  for (const auto& row : report.at("rows").as_array()) {
    if (row.at("load").as_string() == load) out += row.at(what).as_int64();
  }
  return out;
}

TEST(BenchLlm, leaves_answers_where_it_is_to) {
  // But for the first, every answer has more parts than are waited for, and its end never comes.
  std::atomic<int> asked{0};
  net::TestServer server([&](net::TestServer::Peer& peer, int) {
    for (;;) {
      const std::string request = peer.read_request();
      if (request.empty()) return;
      if (!request.starts_with("POST") || asked++ == 0) {
        peer.send(streamed(3));
        continue;
      }
      std::string endless = streamed(8);
      endless.resize(endless.find("\"usage\""));
      peer.send(endless);
      peer.wait_for_end();
      return;
    }
  });
  std::ostringstream out;
  const int code = bench_llm(
      server,
      {"--concurrency",
       "2",
       "--duration",
       "0.05",
       "--output-tokens",
       "1",
       "--leave",
       "100",
       "--json"},
      out
  );
  EXPECT_EQ(code, kSuccess);
  const auto report = boost::json::parse(out.str());
  EXPECT_GE(sum_of(report, "2 clients", "left"), 2);
  EXPECT_EQ(sum_of(report, "2 clients", "done"), 0);
  EXPECT_THAT(std::string(report.at("work").as_string()), HasSubstr("100 % of the clients leave"));
}

TEST(BenchLlm, holds_conversations_with_time_to_think) {
  net::TestServer server([](net::TestServer::Peer& peer, int) { play_server(peer, 0); });
  std::ostringstream out;
  const int code = bench_llm(
      server,
      {"--workload",
       "multi-turn",
       "--turns",
       "2",
       "--think-time",
       "0",
       "--concurrency",
       "1",
       "--duration",
       "0.2",
       "--json"},
      out
  );
  EXPECT_EQ(code, kSuccess);
  const auto report = boost::json::parse(out.str());
  EXPECT_EQ(report.at("rows").at(0).at("kind").as_string(), "all");
  EXPECT_EQ(report.at("rows").at(1).at("kind").as_string(), "first");
  EXPECT_EQ(report.at("rows").at(2).at("kind").as_string(), "later");
  EXPECT_GE(report.at("rows").at(2).at("done").as_int64(), 1);
  EXPECT_THAT(server.received(), HasSubstr("aaa\\n")) << "the server's own answer";
}

TEST(BenchLlm, goes_beyond_the_capacity_that_it_measured) {
  net::TestServer server([](net::TestServer::Peer& peer, int) { play_server(peer, 0); });
  std::ostringstream out;
  const int code = bench_llm(
      server,
      {"--overload",
       "0.5,2",
       "--concurrency",
       "1",
       "--in-flight",
       "2",
       "--duration",
       "0.2",
       "--json"},
      out
  );
  EXPECT_EQ(code, kSuccess);
  const auto report = boost::json::parse(out.str());
  const auto& rows = report.at("rows").as_array();
  ASSERT_EQ(rows.size(), 3u);
  EXPECT_EQ(rows[0].at("load").as_string(), "1 client");
  const double capacity = rows[0].at("requests_per_second").to_number<double>();
  for (std::size_t i = 1; i < rows.size(); ++i) {
    const std::string load(rows[i].at("load").as_string());
    const double factor = i == 1 ? 0.5 : 2;
    EXPECT_THAT(load, testing::StartsWith(i == 1 ? "0.5 x: " : "2 x: "));
    EXPECT_NEAR(
        std::stod(load.substr(load.find(' ', 4))), factor * capacity, factor * capacity / 50
    );
  }
}

TEST(BenchLlm, counts_who_left_in_the_capacity) {
  net::TestServer server([](net::TestServer::Peer& peer, int) {
    while (!peer.read_request().empty()) peer.send(streamed(8));
  });
  std::ostringstream out;
  const int code = bench_llm(
      server,
      {"--overload",
       "1",
       "--concurrency",
       "1",
       "--in-flight",
       "1",
       "--duration",
       "0.2",
       "--output-tokens",
       "1",
       "--leave",
       "100",
       "--json"},
      out
  );
  EXPECT_EQ(code, kSuccess) << "nobody stayed, but all were served";
  EXPECT_EQ(boost::json::parse(out.str()).at("rows").as_array().size(), 2u);
}

TEST(BenchLlm, has_no_capacity_where_nothing_is_answered) {
  std::atomic<int> asked{0};
  net::TestServer server([&](net::TestServer::Peer& peer, int) {
    while (!peer.read_request().empty()) {
      const bool warms_up = asked++ == 0;
      peer.send(
          warms_up ? streamed(3)
                   : "HTTP/1.1 503 No\r\nContent-Length: 17\r\n\r\n{\"error\":\"later\"}"
      );
    }
  });
  const std::string url = server.url();
  const char* const arguments[] = {
      "cortex",
      "bench",
      "llm",
      "m",
      "--url",
      url.c_str(),
      "--concurrency",
      "1",
      "--duration",
      "0.05",
      "--overload",
      "2"
  };
  const Hooks none;
  std::ostringstream out;
  std::ostringstream err;
  EXPECT_NE(run(12, arguments, none, out, err), kSuccess);
  EXPECT_THAT(err.str(), HasSubstr("no capacity to multiply"));
}

TEST(BenchLlm, refuses_loads_that_a_workload_cannot_have) {
  const auto error_of = [](std::vector<const char*> flags) {
    std::vector<const char*> arguments{"cortex", "bench", "llm", "m"};
    arguments.insert(arguments.end(), flags.begin(), flags.end());
    const Hooks none;
    std::ostringstream out;
    std::ostringstream err;
    EXPECT_EQ(run(static_cast<int>(arguments.size()), arguments.data(), none, out, err), kUsage);
    return err.str();
  };
  EXPECT_THAT(error_of({"--workload", "multi-turn", "--rate", "1"}), HasSubstr("multi-turn"));
  EXPECT_THAT(error_of({"--workload", "flood", "--overload", "2"}), HasSubstr("flood"));
  EXPECT_THAT(error_of({"--rate", "1", "--overload", "2"}), HasSubstr("leave --rate out"));
  EXPECT_THAT(error_of({"--workload", "adapters"}), HasSubstr("say which with --adapters"));
}

TEST(BenchLlm, refuses_a_workload_that_it_does_not_know) {
  const char* const arguments[] = {"cortex", "bench", "llm", "m", "--workload", "chess"};
  const Hooks none;
  std::ostringstream out;
  std::ostringstream err;
  EXPECT_EQ(run(6, arguments, none, out, err), kUsage);
  EXPECT_THAT(err.str(), HasSubstr("'chess' is not one of chat,"));
  const char* const nameless[] = {"cortex", "bench"};
  EXPECT_EQ(run(2, nameless, none, out, err), kUsage);
}

}  // namespace
}  // namespace cortex::cli::bench
