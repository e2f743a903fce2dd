// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include <array>
#include <cmath>
#include <cstdio>
#include <limits>
#include <optional>
#include <ostream>

#include "cli/detail/answer_stream.h"
#include "cli/detail/context.h"
#include "cli/detail/conversation.h"
#include "cli/detail/interrupts.h"
#include "cli/detail/line_reader.h"

namespace cortex::cli::detail {
namespace {

constexpr std::size_t kLineBytesMax = 1u << 20;
constexpr std::size_t kInputBytesMax = 16u << 20;
constexpr double kNotGiven = std::numeric_limits<double>::quiet_NaN();
constexpr std::size_t kNoCount = std::numeric_limits<std::size_t>::max();
constexpr const char* kChatHelp =
    "Type, and end with Enter. /clear forgets what was said, /bye or Ctrl-D ends.\n"
    "Ctrl-C stops an answer; twice, it ends.\n";

struct ChatFlags {
  std::string model;
  std::string prompt;
  std::string system;
  double max_tokens = kNotGiven;
  double temperature = kNotGiven;
  double top_p = kNotGiven;
  double top_k = kNotGiven;
  double min_p = kNotGiven;
  double repeat_penalty = kNotGiven;
  std::size_t seed = kNoCount;
  std::vector<std::string> stop;
  double timeout_seconds = 600;
  bool quiet = false;
};

std::optional<double> if_given(double value) {
  return std::isnan(value) ? std::nullopt : std::optional<double>(value);
}
std::optional<std::size_t> count_if_given(double value) {
  if (std::isnan(value)) return std::nullopt;
  return static_cast<std::size_t>(value);
}

ChatSampling sampling_of(const ChatFlags& flags) {
  ChatSampling out;
  out.max_tokens = count_if_given(flags.max_tokens);
  out.temperature = if_given(flags.temperature);
  out.top_p = if_given(flags.top_p);
  out.top_k = count_if_given(flags.top_k);
  out.min_p = if_given(flags.min_p);
  out.repeat_penalty = if_given(flags.repeat_penalty);
  if (flags.seed != kNoCount) out.seed = flags.seed;
  out.stop = flags.stop;
  return out;
}

// What a model says may hold escape sequences, which a terminal would obey.
std::string without_controls(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if (byte == 0xC2 && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) < 0xA0) {
      ++i;  // U+0080 to U+009F
    } else if ((byte >= 0x20 && byte != 0x7F) || byte == '\n' || byte == '\t') {
      out += text[i];
    }
  }
  return out;
}

double chat_seconds(TimePoint from, TimePoint to) {
  return std::chrono::duration<double>(to - from).count();
}

// One answer while it comes.
class ShownAnswer {
 public:
  ShownAnswer(Context& context, const Interrupts& interrupts)
      : context_(context), interrupts_(interrupts) {}

  Status take(const AnswerPart& part) {
    last_ = steady_clock().now();
    if (parts_++ == 0) first_ = last_;
    if (!part.reasoning.empty()) {
      thinks_ = true;
      context_.err << shown(part.reasoning, err_is_terminal_) << std::flush;
    }
    if (!part.content.empty()) {
      if (std::exchange(thinks_, false)) context_.err << "\n" << std::flush;
      text_ += part.content;
      context_.out << shown(part.content, out_is_terminal_) << std::flush;
    }
    return interrupts_.pending() ? cancelled("stopped") : Status();
  }

  // The answer is over: ends its line and says how fast it came.
  void finish(const AnswerEnd& end, bool quiet) {
    if (!text_.empty() && text_.back() != '\n') context_.out << "\n" << std::flush;
    if (quiet || parts_ == 0) return;
    // A server that did not count, or an answer that was stopped: parts are about tokens.
    const bool counted = end.completion_tokens > 0;
    const std::uint64_t tokens = counted ? end.completion_tokens : parts_;
    const double seconds = chat_seconds(first_, last_);
    std::string line = std::string(counted ? "" : "about ") + std::to_string(tokens) + " tokens";
    if (tokens > 1 && seconds > 0) {
      line += number(", %.1f tokens/s", static_cast<double>(tokens - 1) / seconds);
    }
    line += number(", first after %.2f s", chat_seconds(sent_, first_));
    if (counted) line += prompt_text(end);
    if (end.finish_reason == "length") line += "; it ends at its bound";
    context_.err << "-- " << line << "\n";
  }

  [[nodiscard]] const std::string& text() const { return text_; }

 private:
  static std::string number(const char* pattern, double value) {
    std::array<char, 64> text{};
    std::snprintf(text.data(), text.size(), pattern, value);
    return text.data();
  }
  static std::string prompt_text(const AnswerEnd& end) {
    std::string out = "; prompt " + std::to_string(end.prompt_tokens) + " tokens";
    if (end.cached_tokens > 0) out += ", " + std::to_string(end.cached_tokens) + " of them cached";
    return out;
  }
  static std::string shown(std::string_view text, bool on_terminal) {
    return on_terminal ? without_controls(text) : std::string(text);
  }

  Context& context_;
  const Interrupts& interrupts_;
  const bool out_is_terminal_ = ::isatty(STDOUT_FILENO) == 1;
  const bool err_is_terminal_ = ::isatty(STDERR_FILENO) == 1;
  const TimePoint sent_ = steady_clock().now();
  TimePoint first_;
  TimePoint last_;
  std::uint64_t parts_ = 0;
  bool thinks_ = false;  // what came last was not the answer yet
  std::string text_;
};

class Chat {
 public:
  Chat(Context& context, net::HttpClient client, const ChatFlags& flags, Interrupts& interrupts)
      : context_(context),
        flags_(flags),
        interrupts_(interrupts),
        client_(std::move(client)),
        conversation_(flags.model, flags.system, sampling_of(flags)) {}

  // One turn. An answer that was stopped stays in the conversation as far as it came.
  Status say(const std::string& said) {
    const std::string body = conversation_.request(said);
    ShownAnswer answer(context_, interrupts_);
    const AnswerEnd end =
        stream_answer(client_, "/v1/chat/completions", body, [&](const AnswerPart& part) {
          return answer.take(part);
        });
    answer.finish(end, flags_.quiet);
    if (end.status.ok() || !answer.text().empty()) conversation_.add(said, answer.text());
    return end.status;
  }

  // Until the input ends. What goes wrong with one turn does not end the conversation.
  Status converse() {
    LineReader lines(STDIN_FILENO, interrupts_.descriptor(), kLineBytesMax);
    context_.err << kChatHelp;
    for (int presses = 0; presses < 2;) {
      context_.err << "> " << std::flush;
      CORTEX_ASSIGN_OR_RETURN(const LineReader::Line line, lines.next());
      if (line.kind == LineReader::Kind::kEnd || line.text == "/bye") break;
      presses = interrupts_.take() ? presses + 1 : 0;
      if (line.kind == LineReader::Kind::kInterrupted) {
        context_.err << "\n";
        continue;
      }
      take_line(line.text);
      presses = interrupts_.take() ? 1 : 0;
    }
    context_.err << "\n";
    return {};
  }

 private:
  void take_line(const std::string& text) {
    if (text.find_first_not_of(" \t\r") == std::string::npos) return;
    if (text == "/clear") return conversation_.clear();
    if (text == "/help") {
      context_.err << kChatHelp;
      return;
    }
    const Status status = say(text);
    if (status.ok()) return;
    context_.err << (status.code() == Code::kCancelled ? "-- stopped" : "cortex: " + status.text())
                 << "\n";
  }

  Context& context_;
  const ChatFlags& flags_;
  Interrupts& interrupts_;
  net::HttpClient client_;
  Conversation conversation_;
};

Result<net::HttpClient> connect_for_chat(
    const ServerFlags& server, const ChatFlags& flags, const Interrupts& interrupts
) {
  net::HttpClientOptions options;
  options.url = server.url;
  options.key = server.key;
  options.timeout = std::chrono::hours(24);  // an answer may be long as long as it comes
  options.stall_timeout = std::chrono::milliseconds(std::llround(flags.timeout_seconds * 1000));
  options.interrupt = interrupts.descriptor();
  return net::HttpClient::make(std::move(options));
}

Status chat(Context& context, const ServerFlags& server, const ChatFlags& flags) {
  Interrupts interrupts;
  CORTEX_ASSIGN_OR_RETURN(net::HttpClient client, connect_for_chat(server, flags, interrupts));
  Chat chat(context, std::move(client), flags, interrupts);
  if (!flags.prompt.empty()) return chat.say(flags.prompt);
  if (::isatty(STDIN_FILENO) == 1) return chat.converse();
  CORTEX_ASSIGN_OR_RETURN(const std::string said, read_to_end(STDIN_FILENO, kInputBytesMax));
  if (said.empty()) return invalid_argument("there is nothing to say: give a prompt or an input");
  return chat.say(said);
}

void add_sampling_flags(const Command& command, ChatFlags& flags) {
  command.option("--max-tokens", flags.max_tokens, "Tokens of an answer at most")
      .between(1, 1'000'000'000)
      .type("N");
  command.option("--temperature", flags.temperature, "0 takes the likeliest token")
      .between(0.0, 2.0)
      .type("0-2");
  command.option("--top-p", flags.top_p, "Of the likeliest tokens with that much probability")
      .between(0.0, 1.0)
      .type("0-1");
  command.option("--top-k", flags.top_k, "Of so many likeliest tokens")
      .between(0, 1'000'000'000)
      .type("N");
  command.option("--min-p", flags.min_p, "Of tokens that are that likely beside the likeliest")
      .between(0.0, 1.0)
      .type("0-1");
  command.option("--repeat-penalty", flags.repeat_penalty, "Above 1: against what was said before")
      .between(0.01, 2.0)
      .type("0-2");
  command.option("--seed", flags.seed, "The same seed draws the same answer").type("N");
  command.option("--stop", flags.stop, "An answer ends before this text. Can be repeated.")
      .one_value_a_time()
      .type("TEXT");
}

}  // namespace

void add_chat_command(const Command& root) {
  const Command command = root.add("chat", "Talk to a language model of a running server.");
  const auto server = add_server_flags(command);
  auto flags = std::make_shared<ChatFlags>();
  command.option("model", flags->model, "The model").required().type("NAME");
  command
      .option(
          "prompt",
          flags->prompt,
          "Answer this and end; without it the input is asked for, or read where it is no terminal"
      )
      .type("TEXT");
  command.option("--system", flags->system, "What the model is told first").type("TEXT");
  add_sampling_flags(command, *flags);
  command
      .option(
          "--timeout", flags->timeout_seconds, "Give up after so long without a token. Default: 600"
      )
      .between(0.1, 86'400.0)
      .type("SECONDS");
  command.flag("--quiet", flags->quiet, "Do not say how many tokens came how fast");
  command.does([&context = root.context(), server, flags] { return chat(context, *server, *flags); }
  );
}

}  // namespace cortex::cli::detail
