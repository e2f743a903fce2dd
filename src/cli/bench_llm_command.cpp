// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <limits>
#include <ostream>

#include "base/thread.h"
#include "cli/bench/language_load.h"
#include "cli/bench/language_report.h"
#include "cli/bench/language_work.h"
#include "cli/bench/statistics.h"
#include "cli/detail/context.h"
#include "cli/detail/machine.h"

namespace cortex::cli::detail {
namespace {

using bench::LanguageLoad;
using bench::LanguageWorkload;

constexpr double kNoBound = std::numeric_limits<double>::infinity();

struct BenchLlmFlags {
  bench::LanguageWorkOptions work;
  std::string workload = "chat";
  std::vector<std::size_t> concurrency{1, 4};
  std::vector<double> rates;
  std::vector<double> overload;
  double leaving_percent = 0;
  double seconds = 30;
  std::size_t in_flight = 256;
  std::size_t flood_clients = 16;
  std::string flood_key;
  std::size_t seed = 1;
  double slo_first = kNoBound;
  double slo_tpot = kNoBound;
  double slo_gap = kNoBound;
  double timeout_seconds = 600;
  bool as_json = false;
};

Result<LanguageWorkload> workload_named(const std::string& name) {
  if (name == "chat") return LanguageWorkload::kChat;
  if (name == "long-prompt") return LanguageWorkload::kLongPrompt;
  if (name == "shared-prefix") return LanguageWorkload::kSharedPrefix;
  if (name == "flood") return LanguageWorkload::kFlood;
  if (name == "multi-turn") return LanguageWorkload::kMultiTurn;
  if (name == "adapters") return LanguageWorkload::kAdapters;
  return invalid_argument(
      "--workload: '" + name +
      "' is not one of chat, long-prompt, shared-prefix, flood, multi-turn, adapters"
  );
}

Status check_llm_flags(const BenchLlmFlags& flags) {
  const LanguageWorkload workload = flags.work.workload;
  const bool waits =
      workload == LanguageWorkload::kFlood || workload == LanguageWorkload::kMultiTurn;
  if (waits && !(flags.rates.empty() && flags.overload.empty())) {
    return invalid_argument(
        "--workload " + flags.workload +
        ": its clients wait for their answers, so it has neither --rate nor --overload"
    );
  }
  if (!flags.rates.empty() && !flags.overload.empty()) {
    return invalid_argument("--overload measures the rate that it multiplies: leave --rate out");
  }
  if (workload == LanguageWorkload::kAdapters && flags.work.adapters.empty()) {
    return invalid_argument("--workload adapters: say which with --adapters");
  }
  return {};
}

bench::LanguageSlo slo_of(const BenchLlmFlags& flags) {
  const auto bound = [](double value) {
    return value < kNoBound ? std::optional<double>(value) : std::nullopt;
  };
  return {bound(flags.slo_first), bound(flags.slo_tpot), bound(flags.slo_gap)};
}

std::string plain_number(double value) {
  std::string out = std::to_string(value);
  out.erase(out.find_last_not_of('0') + 1);
  if (out.back() == '.') out.pop_back();
  return out;
}

// To three digits: of what was measured no more is known.
double rounded_rate(double rate) {
  const double unit = std::pow(10, std::floor(std::log10(rate)) - 2);
  return std::round(rate / unit) * unit;
}

std::string llm_work_text(const BenchLlmFlags& flags) {
  const auto& work = flags.work;
  std::string out = flags.workload + ", prompts of about " + std::to_string(work.prompt_tokens) +
                    " tokens, answers of about " + std::to_string(work.output_tokens);
  if (work.workload == LanguageWorkload::kLongPrompt) {
    out += ", one in " + std::to_string(work.long_every) + " prompts of about " +
           std::to_string(work.long_tokens);
  }
  if (work.workload == LanguageWorkload::kSharedPrefix) {
    out += ", behind " + std::to_string(work.prefixes) + " prefixes of about " +
           std::to_string(work.long_tokens);
  }
  if (work.workload == LanguageWorkload::kMultiTurn) {
    out += ", conversations of " + std::to_string(work.turns) + " turns, about " +
           plain_number(work.think_seconds) + " s apart";
  }
  if (work.workload == LanguageWorkload::kAdapters) {
    out += ", for " + std::to_string(work.adapters.size()) + " adapters, the n-th by n^-" +
           plain_number(work.adapter_skew);
  }
  if (work.leaving > 0)
    out += ", " + plain_number(flags.leaving_percent) + " % of the clients leave";
  return out;
}

// Everything that one bench of a language model holds.
class LanguageBench {
 public:
  LanguageBench(Context& context, const ServerFlags& server, const BenchLlmFlags& flags)
      : context_(context), server_(server), flags_(flags) {
    report_.model = flags.work.model;
    report_.work = llm_work_text(flags);
    report_.seed = flags.work.seed;
    report_.slo = slo_of(flags);
  }

  Status run() {
    CORTEX_RETURN_IF_ERROR(open(clients_, workers_needed(), server_.key));
    CORTEX_RETURN_IF_ERROR(warm_up());
    if (flags_.work.workload == LanguageWorkload::kFlood) {
      CORTEX_RETURN_IF_ERROR(run_flood());
    } else if (!flags_.overload.empty()) {
      CORTEX_RETURN_IF_ERROR(run_overload());
    } else if (flags_.rates.empty()) {
      for (const std::size_t workers : flags_.concurrency) run_closed(workers);
    } else {
      for (const double rate : flags_.rates) run_open(rate, plain_number(rate) + "/s");
    }
    flags_.as_json ? print_language_json(context_.out, report_)
                   : print_language_table(context_.out, report_);
    return {};
  }

 private:
  [[nodiscard]] std::size_t workers_needed() const {
    if (flags_.work.workload == LanguageWorkload::kFlood) return 1;
    if (!flags_.overload.empty()) return std::max(flags_.in_flight, most_clients());
    return flags_.rates.empty() ? most_clients() : flags_.in_flight;
  }
  [[nodiscard]] std::size_t most_clients() const {
    return *std::ranges::max_element(flags_.concurrency);
  }

  Status open(std::vector<net::HttpClient>& clients, std::size_t count, const std::string& key) {
    net::HttpClientOptions options;
    options.url = server_.url;
    options.key = key;
    options.timeout = std::chrono::milliseconds(std::llround(flags_.timeout_seconds * 1000));
    for (std::size_t i = 0; i < count; ++i) {
      CORTEX_ASSIGN_OR_RETURN(net::HttpClient client, net::HttpClient::make(options));
      clients.push_back(std::move(client));
    }
    return {};
  }

  bench::LanguageCall call_over(std::vector<net::HttpClient>& clients) {
    const std::size_t first = next_index_;
    next_index_ += bench::kRequestsOfALoad;
    return [this, &clients, first](std::size_t worker, std::size_t index, TimePoint due) {
      const auto ask = bench::language_ask(flags_.work, first + index);
      return bench::ask_language_model(clients[worker], ask, due);
    };
  }

  Status warm_up() {
    auto options = flags_.work;
    options.workload = LanguageWorkload::kChat;
    options.leaving = 0;
    const auto ask = bench::language_ask(options, 0);
    const auto sample = bench::ask_language_model(clients_[0], ask, steady_clock().now());
    if (sample.ok()) return {};
    const std::string text = sample.error_code + ": " + sample.error;
    return sample.error_code == "connection" ? unavailable(text) : failed_precondition(text);
  }

  void add_rows(const LanguageLoad& load, const std::string& name, std::optional<double> cpu) {
    for (bench::LanguageRow& row : rows_of(load, name, report_.slo)) {
      if (row.error_count() > 0 && row.done == 0) context_.exit_code = kFailure;
      report_.rows.push_back(std::move(row));
    }
    // Of the whole load, which is the one row or the one of all kinds.
    if (cpu) row_of_whole(name).server_cpu_seconds = *cpu;
  }

  bench::LanguageRow& row_of_whole(const std::string& name) {
    bench::LanguageRow* out = &report_.rows.back();
    for (bench::LanguageRow& row : report_.rows) {
      if (row.load == name && row.kind == "all") out = &row;
    }
    return *out;
  }

  template <typename Load>
  void measure(const std::string& name, Load load) {
    const auto before = server_cpu(clients_[0]);
    const LanguageLoad result = load();
    const auto after = server_cpu(clients_[0]);
    if (result.samples.empty()) return;
    add_rows(result, name, before && after ? std::optional(*after - *before) : std::nullopt);
  }

  [[nodiscard]] Duration duration() const {
    return std::chrono::duration_cast<Duration>(std::chrono::duration<double>(flags_.seconds));
  }

  std::string run_closed(std::size_t workers) {
    std::string name = std::to_string(workers) + (workers == 1 ? " client" : " clients");
    measure(name, [&] {
      if (flags_.work.workload == LanguageWorkload::kMultiTurn) return run_conversations(workers);
      return bench::run_language_closed(workers, duration(), call_over(clients_));
    });
    return name;
  }

  LanguageLoad run_conversations(std::size_t workers) {
    std::vector<bench::LanguageConversation> conversations(
        workers, bench::LanguageConversation(flags_.work)
    );
    std::vector<Duration> pauses(workers);
    const std::size_t first = next_index_;
    next_index_ += bench::kRequestsOfALoad;
    const auto call = [&](std::size_t worker, std::size_t index, TimePoint due) {
      std::string said;
      const auto ask = conversations[worker].ask(first + index);
      auto sample = bench::ask_language_model(clients_[worker], ask, due, &said);
      pauses[worker] = {};
      if (sample.whole()) {
        pauses[worker] = conversations[worker].hear(said);
      } else {
        conversations[worker].break_off();
      }
      return sample;
    };
    return bench::run_language_closed(workers, duration(), call, [&](std::size_t worker) {
      return pauses[worker];
    });
  }

  void run_open(double rate, const std::string& name) {
    const auto schedule = bench::arrival_schedule(rate, flags_.seconds, flags_.work.seed);
    measure(name, [&] {
      return bench::run_language_open(flags_.in_flight, schedule, call_over(clients_));
    });
  }

  // At multiples of what as many clients as there may be get done.
  Status run_overload() {
    const std::string name = run_closed(most_clients());
    // Who left was served as far as it wanted.
    const std::size_t served =
        report_.rows.empty() ? 0 : row_of_whole(name).done + row_of_whole(name).left;
    if (served == 0) {
      return failed_precondition("nothing was answered, so there is no capacity to multiply");
    }
    const double capacity = row_of_whole(name).rate(served);
    for (const double factor : flags_.overload) {
      const double rate = rounded_rate(factor * capacity);
      run_open(rate, plain_number(factor) + " x: " + plain_number(rate) + "/s");
    }
    return {};
  }

  // One asks one at a time: alone first, then beside many that ask with another key.
  Status run_flood() {
    std::vector<net::HttpClient> flood;
    CORTEX_RETURN_IF_ERROR(open(flood, flags_.flood_clients, flags_.flood_key));
    const auto alone = bench::run_language_closed(1, duration(), call_over(clients_));
    LanguageLoad many;
    LanguageLoad one;
    const auto one_call = call_over(clients_);
    const auto many_call = call_over(flood);
    {
      const Thread beside("flood", [&] {
        many = bench::run_language_closed(flood.size(), duration(), many_call);
      });
      one = bench::run_language_closed(1, duration(), one_call);
    }
    add_rows(alone, "one alone", std::nullopt);
    add_rows(one, "one beside", std::nullopt);
    add_rows(many, std::to_string(flood.size()) + " flooding", std::nullopt);
    return {};
  }

  Context& context_;
  const ServerFlags& server_;
  const BenchLlmFlags& flags_;
  std::vector<net::HttpClient> clients_;
  std::size_t next_index_ = bench::kRequestsOfALoad;  // behind the warm-up's
  bench::LanguageReport report_;
};

void add_llm_load_flags(const Command& command, BenchLlmFlags& flags) {
  command
      .option(
          "--concurrency",
          flags.concurrency,
          "Closed loop: clients that each wait for their answer. Default: 1,4"
      )
      .comma_separated()
      .between(1, 4096)
      .type("LIST");
  command
      .option(
          "--rate",
          flags.rates,
          "Open loop: requests per second, as a Poisson process; times count from when each was due"
      )
      .comma_separated()
      .between(0.001, 1e5)
      .type("LIST");
  command
      .option(
          "--overload",
          flags.overload,
          "Open loop at so many times the rate that the most --concurrency clients reach first"
      )
      .comma_separated()
      .between(0.01, 100.0)
      .type("LIST");
  command
      .option(
          "--leave",
          flags.leaving_percent,
          "Percent of the requests whose client leaves somewhere in its answer. Default: 0"
      )
      .between(0.0, 100.0)
      .type("PERCENT");
  command.option("--duration", flags.seconds, "Seconds of each load. Default: 30")
      .between(0.01, 86'400.0)
      .type("SECONDS");
  command.option("--in-flight", flags.in_flight, "Open loop: most requests at once. Default: 256")
      .between(1, 4096)
      .type("N");
  command.option("--flood-clients", flags.flood_clients, "flood: how many ask at once. Default: 16")
      .between(1, 4096)
      .type("N");
  command.option("--flood-key", flags.flood_key, "flood: the key that they send").type("KEY");
  command
      .option("--timeout", flags.timeout_seconds, "Seconds that an answer may take. Default: 600")
      .between(0.1, 86'400.0)
      .type("SECONDS");
}

void add_llm_work_flags(const Command& command, BenchLlmFlags& flags) {
  command
      .option(
          "--workload",
          flags.workload,
          "chat, long-prompt, shared-prefix, flood, multi-turn or adapters. Default: chat"
      )
      .type("NAME");
  command.option("--prompt-tokens", flags.work.prompt_tokens, "Median of prompts. Default: 64")
      .between(1, 1'000'000)
      .type("N");
  command.option("--output-tokens", flags.work.output_tokens, "Median of answers. Default: 64")
      .between(1, 1'000'000)
      .type("N");
  command
      .option(
          "--long-tokens",
          flags.work.long_tokens,
          "long-prompt: of the long ones; shared-prefix: of a prefix. Default: 2048"
      )
      .between(1, 10'000'000)
      .type("N");
  command
      .option(
          "--long-every", flags.work.long_every, "long-prompt: one in so many is long. Default: 16"
      )
      .between(1, 1'000'000)
      .type("N");
  command.option("--prefixes", flags.work.prefixes, "shared-prefix: how many there are. Default: 4")
      .between(1, 100'000)
      .type("N");
  command.option("--turns", flags.work.turns, "multi-turn: of a conversation. Default: 5")
      .between(1, 1000)
      .type("N");
  command
      .option(
          "--think-time",
          flags.work.think_seconds,
          "multi-turn: from an answer to the next turn, on average. Default: 2"
      )
      .between(0.0, 86'400.0)
      .type("SECONDS");
  command
      .option(
          "--adapters",
          flags.work.adapters,
          "adapters: their names as requests give them, the most wanted first"
      )
      .comma_separated()
      .type("LIST");
  command
      .option(
          "--adapter-skew",
          flags.work.adapter_skew,
          "adapters: the n-th is asked for in proportion to n to the minus this (Zipf). Default: 1"
      )
      .between(0.0, 10.0)
      .type("S");
  command.option("--seed", flags.seed, "Of prompts, lengths and arrivals. Default: 1")
      .between(0, 2'000'000'000)
      .type("N");
}

void add_slo_flags(const Command& command, BenchLlmFlags& flags) {
  command.option("--slo-ttft", flags.slo_first, "Good: the first token within so long")
      .between(0.0, 86'400.0)
      .type("SECONDS");
  command.option("--slo-tpot", flags.slo_tpot, "Good: so long a token behind the first, on average")
      .between(0.0, 86'400.0)
      .type("SECONDS");
  command.option("--slo-itl", flags.slo_gap, "Good: no gap within the answer above that")
      .between(0.0, 86'400.0)
      .type("SECONDS");
}

}  // namespace

void add_bench_llm_command(const Command& bench_command) {
  const Command command = bench_command.add(
      "llm", "Measure a language model of a running server, streamed: any with OpenAI's API."
  );
  const auto server = add_server_flags(command);
  auto flags = std::make_shared<BenchLlmFlags>();
  command.option("model", flags->work.model, "The model").required().type("NAME");
  add_llm_load_flags(command, *flags);
  add_llm_work_flags(command, *flags);
  add_slo_flags(command, *flags);
  command.flag("--json", flags->as_json, "Print JSON");
  command.does([&context = bench_command.context(), server, flags]() -> Status {
    CORTEX_ASSIGN_OR_RETURN(flags->work.workload, workload_named(flags->workload));
    flags->work.seed = static_cast<unsigned>(flags->seed);
    flags->work.leaving = flags->leaving_percent / 100;
    CORTEX_RETURN_IF_ERROR(check_llm_flags(*flags));
    return LanguageBench(context, *server, *flags).run();
  });
}

}  // namespace cortex::cli::detail
