// SPDX-License-Identifier: Apache-2.0
#include <sys/resource.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <ostream>

#include "cli/bench/load.h"
#include "cli/bench/report.h"
#include "cli/bench/workload.h"
#include "cli/detail/context.h"
#include "cli/detail/machine.h"

namespace cortex::cli::detail {
namespace {

using std::chrono::duration;

struct BenchFlags {
  std::string model;
  std::vector<std::size_t> concurrency{1, 4, 16};
  std::vector<double> rates;
  double seconds = 3;
  double warm_up_seconds = 1;
  std::string tokens;
  std::vector<std::string> shapes;
  std::string engine_file;
  std::string engine_library;
  std::size_t engine_threads = 1;
  std::size_t pairs = 10;
  bool as_json = false;
};

Duration to_duration(double seconds) {
  return std::chrono::duration_cast<Duration>(duration<double>(seconds));
}

template <typename T>
std::optional<T> parse_number(std::string_view text) {
  T out{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return out;
}

// "32" or "8-256".
Status parse_tokens(const std::string& text, bench::WorkloadOptions& out) {
  const std::size_t dash = std::min(text.find('-'), text.size());
  const auto least = parse_number<std::size_t>(text.substr(0, dash));
  const auto most = dash == text.size() ? least : parse_number<std::size_t>(text.substr(dash + 1));
  if (!least || !most || *least < 3 || *most < *least || *most > 100'000) {
    return invalid_argument("--tokens takes a number from 3, or two as 8-256");
  }
  out.tokens_least = *least;
  out.tokens_most = *most;
  return {};
}

// "name:1,16".
Status parse_shape(const std::string& text, bench::WorkloadOptions& out) {
  const std::size_t colon = text.rfind(':');
  const Status wrong = invalid_argument("--shape takes NAME:1,16");
  if (colon == std::string::npos || colon == 0) return wrong;
  std::string_view rest = std::string_view(text).substr(colon + 1);
  std::vector<std::int64_t> shape;
  while (!rest.empty()) {
    const std::size_t comma = std::min(rest.find(','), rest.size());
    const auto dimension = parse_number<std::int64_t>(rest.substr(0, comma));
    if (!dimension || *dimension < 0) return wrong;
    shape.push_back(*dimension);
    rest.remove_prefix(std::min(comma + 1, rest.size()));
  }
  out.shapes[text.substr(0, colon)] = std::move(shape);
  return {};
}

Result<bench::WorkloadOptions> workload_options(const BenchFlags& flags) {
  bench::WorkloadOptions out;
  out.model = flags.model;
  out.embeddings = !flags.tokens.empty();
  if (out.embeddings) CORTEX_RETURN_IF_ERROR(parse_tokens(flags.tokens, out));
  for (const std::string& shape : flags.shapes) CORTEX_RETURN_IF_ERROR(parse_shape(shape, out));
  return out;
}

double own_cpu() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
         static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1e-6;
}

double per_request_us(double cpu_seconds, const bench::LoadResult& load) {
  return load.latencies.empty() ? 0
                                : cpu_seconds * 1e6 / static_cast<double>(load.latencies.size());
}

// Everything that one bench holds: connections, prepared requests, the engine.
class Bench {
 public:
  Bench(Context& context, const ServerFlags& server, const BenchFlags& flags)
      : context_(context), server_(server), flags_(flags) {}

  Status run() {
    CORTEX_ASSIGN_OR_RETURN(const auto options, workload_options(flags_));
    CORTEX_RETURN_IF_ERROR(open_clients());
    CORTEX_ASSIGN_OR_RETURN(workload_, bench::make_workload(clients_[0], options));
    report_.model = flags_.model;
    report_.work = work_text(options);
    CORTEX_RETURN_IF_ERROR(warm_up());
    if (flags_.engine_file.empty()) {
      run_loads();
    } else {
      CORTEX_RETURN_IF_ERROR(run_versus());
    }
    flags_.as_json ? print_json(context_.out, report_) : print_table(context_.out, report_);
    const bool errors = std::ranges::any_of(report_.runs, [](const bench::RunRow& row) {
      return row.load.errors > 0;
    });
    if (errors) context_.exit_code = kFailure;
    return {};
  }

 private:
  [[nodiscard]] std::size_t open_workers() const {
    return std::max<std::size_t>(64, *std::ranges::max_element(flags_.concurrency));
  }

  Status open_clients() {
    const std::size_t most =
        flags_.rates.empty() ? *std::ranges::max_element(flags_.concurrency) : open_workers();
    for (std::size_t i = 0; i < most; ++i) {
      CORTEX_ASSIGN_OR_RETURN(net::HttpClient client, connect(server_));
      clients_.push_back(std::move(client));
    }
    return {};
  }

  std::string work_text(const bench::WorkloadOptions& options) const {
    if (!options.embeddings) return "infer, synthetic tensors";
    const auto count = workload_.requests.size();
    return "embeddings, " + flags_.tokens + " tokens (" + std::to_string(workload_.tokens / count) +
           " on average)";
  }

  [[nodiscard]] bench::Call server_call() {
    return [this](std::size_t worker, std::size_t index) {
      return call(clients_[worker], workload_.call(index)).status();
    };
  }

  Status warm_up() {
    const auto load = bench::run_closed(
        std::min<std::size_t>(clients_.size(), 16),
        to_duration(flags_.warm_up_seconds),
        server_call()
    );
    if (load.errors == 0 || !load.latencies.empty()) return {};
    return failed_precondition("no request succeeded: " + load.first_error);
  }

  template <typename Load>
  bench::RunRow measured(std::size_t workers, double rate, Load load) {
    bench::RunRow row{workers, rate, {}, -1};
    const auto before = server_cpu(clients_[0]);
    row.load = load();
    const auto after = server_cpu(clients_[0]);
    if (before && after) row.server_cpu_us = per_request_us(*after - *before, row.load);
    return row;
  }

  void run_loads() {
    for (const double rate : flags_.rates) {
      const auto schedule = bench::arrival_schedule(rate, flags_.seconds, 1);
      report_.runs.push_back(measured(open_workers(), rate, [&] {
        return bench::run_open(open_workers(), schedule, server_call());
      }));
    }
    if (!flags_.rates.empty()) return;
    for (const std::size_t workers : flags_.concurrency) report_.runs.push_back(closed(workers));
  }

  bench::RunRow closed(std::size_t workers) {
    return measured(workers, 0, [&] {
      return bench::run_closed(workers, to_duration(flags_.seconds), server_call());
    });
  }

  Status run_versus() {
    RawEngineOptions options{
        flags_.engine_file, flags_.engine_library, flags_.engine_threads, workload_.tensors
    };
    CORTEX_ASSIGN_OR_RETURN(const auto engine, context_.hooks.open_raw_engine(std::move(options)));
    CORTEX_RETURN_IF_ERROR(engine->run(0));
    for (const std::size_t workers : flags_.concurrency) {
      CORTEX_RETURN_IF_ERROR(compare(*engine, workers));
    }
    return {};
  }

  // A B A B: the machine's moods meet both alike.
  Status compare(RawEngine& engine, std::size_t workers) {
    bench::VersusRow row;
    row.workers = workers;
    row.pairs = flags_.pairs;
    std::vector<double> throughputs;
    std::vector<double> cpus;
    for (std::size_t pair = 0; pair < flags_.pairs; ++pair) {
      const bench::RunRow server = closed(workers);
      const double before = own_cpu();
      const auto alone = bench::run_closed(
          workers,
          to_duration(flags_.seconds),
          [&](std::size_t, std::size_t index) {
            return engine.run(index % workload_.tensors.size());
          }
      );
      const double engine_cpu = per_request_us(own_cpu() - before, alone);
      if (server.load.errors + alone.errors > 0 || alone.latencies.empty() ||
          server.load.latencies.empty()) {
        return failed_precondition(
            "a request failed: " + server.load.first_error + alone.first_error
        );
      }
      throughputs.push_back(server.load.throughput() / alone.throughput());
      cpus.push_back(std::max(server.server_cpu_us, 1e-3) / std::max(engine_cpu, 1e-3));
      const auto share = static_cast<double>(flags_.pairs);
      row.server_rate += server.load.throughput() / share;
      row.engine_rate += alone.throughput() / share;
      row.server_cpu_us += server.server_cpu_us / share;
      row.engine_cpu_us += engine_cpu / share;
    }
    row.throughput = bench::ratio_interval(throughputs);
    row.cpu = bench::ratio_interval(cpus);
    report_.versus.push_back(row);
    return {};
  }

  Context& context_;
  const ServerFlags& server_;
  const BenchFlags& flags_;
  std::vector<net::HttpClient> clients_;
  bench::Workload workload_;
  bench::Report report_;
};

void add_load_flags(const Command& command, BenchFlags& flags) {
  command
      .option(
          "--concurrency",
          flags.concurrency,
          "Closed loop: clients that each wait for their answer. Default: 1,4,16"
      )
      .comma_separated()
      .between(1, 4096)
      .type("LIST");
  command
      .option(
          "--rate",
          flags.rates,
          "Open loop: requests per second, latency from the moment each was due"
      )
      .comma_separated()
      .between(0.01, 1e7)
      .type("LIST");
  command.option("--duration", flags.seconds, "Seconds of each run. Default: 3")
      .between(0.01, 3600.0)
      .type("SECONDS");
  command.option("--warm-up", flags.warm_up_seconds, "Seconds before the first run. Default: 1")
      .between(0.01, 600.0)
      .type("SECONDS");
}

void add_work_flags(const Command& command, BenchFlags& flags) {
  command
      .option(
          "--tokens",
          flags.tokens,
          "Embeddings of texts with so many tokens, as 32 or 8-256; tensors without it"
      )
      .type("N|N-M");
  command
      .option(
          "--shape", flags.shapes, "Shape of an input whose dimensions are open. Can be repeated."
      )
      .one_value_a_time()
      .type("NAME:1,16");
  command
      .option(
          "--vs-engine",
          flags.engine_file,
          "Compare with the engine alone on this model file, in turns"
      )
      .type("FILE");
  command.option("--engine-library", flags.engine_library, "With --vs-engine, the engine's library")
      .type("FILE");
  command
      .option(
          "--engine-threads",
          flags.engine_threads,
          "With --vs-engine, threads of one run. Default: 1"
      )
      .between(1, 1024)
      .type("N");
  command
      .option(
          "--pairs", flags.pairs, "With --vs-engine, how many times each has its turn. Default: 10"
      )
      .between(1, 1000)
      .type("N");
}

}  // namespace

void add_bench_command(const Command& root) {
  const Command command = root.add("bench", "Measure a model of a running server.");
  const auto server = add_server_flags(command);
  auto flags = std::make_shared<BenchFlags>();
  command.option("model", flags->model, "The model").type("NAME");
  add_load_flags(command, *flags);
  add_work_flags(command, *flags);
  command.flag("--json", flags->as_json, "Print JSON");
  command.does([&context = root.context(), server, flags]() -> Status {
    if (flags->model.empty()) return invalid_argument("model is required");
    return Bench(context, *server, *flags).run();
  });
  add_bench_llm_command(command);
}

}  // namespace cortex::cli::detail
