// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/command_line.h"
#include "cli/detail/interrupts.h"
#include "cli/detail/line_reader.h"
#include "net/testing/test_server.h"

namespace cortex::cli {
namespace {

using net::TestServer;
using testing::HasSubstr;

constexpr const char* kEventsHead =
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";

std::string chunk(const std::string& text) {
  std::ostringstream out;
  out << std::hex << text.size() << "\r\n" << text << "\r\n";
  return out.str();
}

std::string word(const std::string& text) {
  return chunk("data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"" + text + "\"}}]}\n\n");
}

std::string ending() {
  return chunk(
             "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n"
             "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":3,"
             "\"prompt_tokens_details\":{\"cached_tokens\":4}}}\n\ndata: [DONE]\n\n"
         ) +
         chunk("");
}

std::string whole_answer(const std::string& text) { return kEventsHead + word(text) + ending(); }

// Standard input is another descriptor while this lives.
class InputFrom {
 public:
  explicit InputFrom(int descriptor) : before_(dup(STDIN_FILENO)) {
    dup2(descriptor, STDIN_FILENO);
    close(descriptor);
  }
  ~InputFrom() {
    dup2(before_, STDIN_FILENO);
    close(before_);
  }

 private:
  const int before_;
};

// A terminal: what is typed goes into one end.
struct Terminal {
  Terminal() : keyboard(posix_openpt(O_RDWR | O_NOCTTY)) {
    grantpt(keyboard);
    unlockpt(keyboard);
    screen = open(ptsname(keyboard), O_RDWR | O_NOCTTY);
  }
  ~Terminal() { close(keyboard); }
  void type(const std::string& text) const {
    ASSERT_EQ(write(keyboard, text.data(), text.size()), static_cast<ssize_t>(text.size()));
  }

  int keyboard;
  int screen = -1;  // goes to InputFrom
};

class ChatCommand : public testing::Test {
 protected:
  int chat(const TestServer& server, std::vector<std::string> more) {
    std::vector<std::string> words{"cortex", "chat", "m", "--url", server.url(), "--key", "secret"};
    words.insert(words.end(), more.begin(), more.end());
    std::vector<const char*> arguments;
    for (const std::string& text : words) arguments.push_back(text.c_str());
    const Hooks none;
    return run(static_cast<int>(arguments.size()), arguments.data(), none, out_, err_);
  }

  std::ostringstream out_;
  std::ostringstream err_;
};

TEST_F(ChatCommand, streams_one_answer_and_says_how_fast_it_came) {
  TestServer server([](TestServer::Peer& peer, int) {
    peer.read_request();
    peer.send(kEventsHead + word("It is ") + word("Paris.") + ending());
  });
  const int code = chat(
      server,
      {"Capital of France?",
       "--system",
       "Be \"brief\".",
       "--temperature",
       "0.5",
       "--max-tokens",
       "7",
       "--seed",
       "0",
       "--stop",
       "\n"}
  );
  EXPECT_EQ(code, kSuccess) << err_.str();
  EXPECT_EQ(out_.str(), "It is Paris.\n");
  EXPECT_THAT(err_.str(), HasSubstr("-- 3 tokens, "));
  EXPECT_THAT(err_.str(), HasSubstr("tokens/s, first after "));
  EXPECT_THAT(err_.str(), HasSubstr("; prompt 9 tokens, 4 of them cached\n"));
  const std::string asked = server.received();
  EXPECT_THAT(asked, HasSubstr("POST /v1/chat/completions HTTP/1.1\r\n"));
  EXPECT_THAT(asked, HasSubstr("Authorization: Bearer secret\r\n"));
  EXPECT_THAT(
      asked,
      HasSubstr(R"("messages":[{"role":"system","content":"Be \"brief\"."},)"
                R"({"role":"user","content":"Capital of France?"}],"max_completion_tokens":7,)"
                R"("temperature":0.5,"seed":0,"stop":["\n"]})")
  );
}

TEST_F(ChatCommand, answers_an_input_that_is_no_terminal) {
  TestServer server([](TestServer::Peer& peer, int) {
    peer.read_request();
    peer.send(whole_answer("Fine."));
  });
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  ASSERT_EQ(write(ends[1], "How\nare you?", 12), 12);
  close(ends[1]);
  const InputFrom input(ends[0]);
  EXPECT_EQ(chat(server, {"--quiet"}), kSuccess) << err_.str();
  EXPECT_EQ(out_.str(), "Fine.\n");
  EXPECT_EQ(err_.str(), "");
  EXPECT_THAT(server.received(), HasSubstr(R"("content":"How\nare you?")"));
}

TEST_F(ChatCommand, keeps_the_conversation_until_it_is_told_to_forget) {
  TestServer server([](TestServer::Peer& peer, int) {
    for (int i = 1; !peer.read_request().empty(); ++i) {
      if (!peer.send(whole_answer("answer " + std::to_string(i)))) return;
    }
  });
  const Terminal terminal;
  const InputFrom input(terminal.screen);
  terminal.type("first\n\nsecond\n/clear\nthird\n/bye\n");
  EXPECT_EQ(chat(server, {"--system", "s"}), kSuccess) << err_.str();
  EXPECT_EQ(out_.str(), "answer 1\nanswer 2\nanswer 3\n");
  const std::string asked = server.received();
  EXPECT_THAT(
      asked,
      HasSubstr(R"([{"role":"system","content":"s"},{"role":"user","content":"first"},)"
                R"({"role":"assistant","content":"answer 1"},{"role":"user","content":"second"}])")
  );
  EXPECT_THAT(
      asked, HasSubstr(R"([{"role":"system","content":"s"},{"role":"user","content":"third"}])")
  );
}

TEST_F(ChatCommand, stops_the_answer_at_ctrl_c_and_goes_on_with_the_conversation) {
  TestServer server([](TestServer::Peer& peer, int connection) {
    peer.read_request();
    if (connection > 0) {
      peer.send(whole_answer("more"));
      return;
    }
    peer.send(kEventsHead + word("begun"));
    kill(getpid(), SIGINT);
    peer.wait_for_end();
  });
  const Terminal terminal;
  const InputFrom input(terminal.screen);
  terminal.type("one\ntwo\n/bye\n");
  EXPECT_EQ(chat(server, {}), kSuccess) << err_.str();
  EXPECT_THAT(err_.str(), HasSubstr("-- stopped\n"));
  EXPECT_THAT(out_.str(), testing::EndsWith("more\n"));
}

TEST(ChatAtThePrompt, ends_at_a_second_ctrl_c_without_a_line_between) {
  struct CtrlCAtThePrompt : std::stringbuf {
    int sync() override {
      if (str().ends_with("> ")) raise(SIGINT);
      return 0;
    }
  } text;
  std::ostream err(&text);
  std::ostringstream out;
  const Terminal terminal;
  const InputFrom input(terminal.screen);
  const Hooks none;
  const char* const arguments[] = {"cortex", "chat", "m"};
  EXPECT_EQ(run(3, arguments, none, out, err), kSuccess);
  EXPECT_THAT(text.str(), HasSubstr("> \n> \n"));
}

TEST(Interrupts, end_the_process_when_nobody_took_the_one_before) {
  const auto interrupt_twice = [](bool taken) {
    detail::Interrupts interrupts;
    raise(SIGINT);
    if (taken && !interrupts.take()) exit(1);
    raise(SIGINT);
    exit(interrupts.pending() ? 0 : 1);
  };
  EXPECT_EXIT(interrupt_twice(false), testing::KilledBySignal(SIGINT), "");
  EXPECT_EXIT(interrupt_twice(true), testing::ExitedWithCode(0), "");
}

TEST(LineReader, gives_lines_and_the_last_one_without_its_end) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  ASSERT_EQ(write(ends[1], "one\n\ntwo", 8), 8);
  close(ends[1]);
  detail::LineReader lines(ends[0], -1, 100);
  for (const char* expected : {"one", "", "two"}) {
    const auto line = lines.next();
    ASSERT_TRUE(line.ok());
    EXPECT_EQ(line->kind, detail::LineReader::Kind::kLine);
    EXPECT_EQ(line->text, expected);
  }
  EXPECT_EQ(lines.next()->kind, detail::LineReader::Kind::kEnd);
  close(ends[0]);
}

TEST(LineReader, refuses_a_line_without_end) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  ASSERT_EQ(write(ends[1], "0123456789", 10), 10);
  detail::LineReader lines(ends[0], -1, 9);
  EXPECT_EQ(lines.next().status().code(), Code::kResourceExhausted);
  EXPECT_EQ(write(ends[1], "0123456789", 10), 10);
  close(ends[1]);
  EXPECT_EQ(detail::read_to_end(ends[0], 9).status().code(), Code::kResourceExhausted);
  close(ends[0]);
}

TEST_F(ChatCommand, says_why_there_is_no_answer) {
  TestServer unknown([](TestServer::Peer& peer, int) {
    peer.read_request();
    peer.send(
        "HTTP/1.1 404 Not Found\r\nContent-Length: 37\r\n\r\n{\"error\":{\"message\":\"no model "
        "'m'.\"}}"
    );
  });
  EXPECT_EQ(chat(unknown, {"hello"}), kFailure);
  EXPECT_THAT(err_.str(), HasSubstr("404: no model 'm'"));

  TestServer failing([](TestServer::Peer& peer, int) {
    peer.read_request();
    peer.send(
        kEventsHead + word("It") + chunk("data: {\"error\":{\"message\":\"out of luck\"}}\n\n") +
        chunk("")
    );
  });
  EXPECT_EQ(chat(failing, {"hello"}), kFailure);
  EXPECT_THAT(err_.str(), HasSubstr("out of luck"));

  TestServer cut([](TestServer::Peer& peer, int) {
    peer.read_request();
    peer.send(kEventsHead + word("It") + chunk(""));
  });
  EXPECT_EQ(chat(cut, {"hello"}), kUnreachable);
  EXPECT_THAT(err_.str(), HasSubstr("the answer broke off"));
}

TEST_F(ChatCommand, refuses_settings_that_no_sampler_has) {
  TestServer nobody([](TestServer::Peer&, int) {});
  EXPECT_EQ(chat(nobody, {"hello", "--temperature", "3"}), kUsage);
  EXPECT_EQ(chat(nobody, {"hello", "--max-tokens", "0"}), kUsage);
  EXPECT_EQ(nobody.connections(), 0);
}

}  // namespace
}  // namespace cortex::cli
