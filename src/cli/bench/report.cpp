// SPDX-License-Identifier: Apache-2.0
#include "cli/bench/report.h"

#include <array>
#include <cstdio>
#include <ostream>

#include <boost/json/object.hpp>

#include "cli/detail/json.h"
#include "cli/detail/machine.h"

namespace cortex::cli::bench {
namespace {

namespace json = boost::json;

constexpr double kMicro = 1e6;

template <typename... Values>
std::string format(const char* pattern, Values... values) {
  std::array<char, 256> text{};
  std::snprintf(text.data(), text.size(), pattern, values...);
  return text.data();
}

json::object interval_json(const Interval& interval) {
  json::object out;
  out["mean"] = interval.mean;
  out["low"] = interval.low;
  out["high"] = interval.high;
  return out;
}

json::object run_json(const RunRow& row) {
  json::object out;
  out["loop"] = row.rate > 0 ? "open" : "closed";
  out["concurrency"] = row.workers;
  if (row.rate > 0) out["rate"] = row.rate;
  out["requests"] = row.load.latencies.size();
  out["errors"] = row.load.errors;
  out["throughput"] = row.load.throughput();
  out["p50_us"] = percentile(row.load.latencies, 0.50) * kMicro;
  out["p90_us"] = percentile(row.load.latencies, 0.90) * kMicro;
  out["p99_us"] = percentile(row.load.latencies, 0.99) * kMicro;
  if (row.server_cpu_us >= 0) out["server_cpu_us"] = row.server_cpu_us;
  return out;
}

json::object versus_json(const VersusRow& row) {
  json::object out;
  out["concurrency"] = row.workers;
  out["pairs"] = row.pairs;
  out["server_throughput"] = row.server_rate;
  out["engine_throughput"] = row.engine_rate;
  out["throughput_ratio"] = interval_json(row.throughput);
  out["server_cpu_us"] = row.server_cpu_us;
  out["engine_cpu_us"] = row.engine_cpu_us;
  out["cpu_ratio"] = interval_json(row.cpu);
  return out;
}

std::string run_line(const RunRow& row) {
  const std::string loop = row.rate > 0 ? format("%.0f/s", row.rate) : format("%zu", row.workers);
  const auto& values = row.load.latencies;
  std::string out = format(
      "%10s %11.1f %10.0f %10.0f %10.0f",
      loop.c_str(),
      row.load.throughput(),
      percentile(values, 0.50) * kMicro,
      percentile(values, 0.90) * kMicro,
      percentile(values, 0.99) * kMicro
  );
  out += row.server_cpu_us >= 0 ? format(" %10.1f", row.server_cpu_us) : format(" %10s", "-");
  return out + format(" %7llu\n", static_cast<unsigned long long>(row.load.errors));
}

std::string versus_line(const VersusRow& row) {
  return format(
      "%10zu %11.1f %11.1f   %.3f [%.3f, %.3f] %10.1f %10.1f   %.3f [%.3f, %.3f]\n",
      row.workers,
      row.server_rate,
      row.engine_rate,
      row.throughput.mean,
      row.throughput.low,
      row.throughput.high,
      row.server_cpu_us,
      row.engine_cpu_us,
      row.cpu.mean,
      row.cpu.low,
      row.cpu.high
  );
}

}  // namespace

void print_table(std::ostream& out, const Report& report) {
  out << report.model << ": " << report.work << "; " << detail::machine_text() << "\n";
  if (!report.runs.empty()) {
    out << "   clients  requests/s     p50 us     p90 us     p99 us     cpu us  errors\n";
    for (const RunRow& row : report.runs) out << run_line(row);
  }
  if (!report.versus.empty()) {
    out << "\nServer and engine alone, interleaved; ratios with their 95 % interval\n"
        << "   clients    server/s    engine/s   ratio                  server cpu engine cpu   "
           "ratio\n";
    for (const VersusRow& row : report.versus) out << versus_line(row);
  }
  for (const RunRow& row : report.runs) {
    if (row.load.errors == 0) continue;
    out << "first error: " << row.load.first_error << "\n";
    return;
  }
}

void print_json(std::ostream& out, const Report& report) {
  json::object all;
  all["model"] = report.model;
  all["work"] = report.work;
  all["machine"] = detail::machine_json();
  json::array runs;
  for (const RunRow& row : report.runs) runs.push_back(run_json(row));
  json::array versus;
  for (const VersusRow& row : report.versus) versus.push_back(versus_json(row));
  all["runs"] = std::move(runs);
  if (!versus.empty()) all["versus_engine"] = std::move(versus);
  out << detail::pretty(all);
}

}  // namespace cortex::cli::bench
