// SPDX-License-Identifier: Apache-2.0
#include "cli/bench/language_report.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <ostream>

#include <boost/json/object.hpp>

#include "cli/bench/statistics.h"
#include "cli/detail/json.h"
#include "cli/detail/machine.h"

namespace cortex::cli::bench {
namespace {

namespace json = boost::json;

std::optional<double> tpot_of(const LanguageSample& sample) {
  if (sample.output_tokens < 2) return std::nullopt;
  return (sample.total_seconds - sample.first_seconds) /
         static_cast<double>(sample.output_tokens - 1);
}

double longest_gap(const LanguageSample& sample) {
  return sample.gaps.empty() ? 0 : *std::ranges::max_element(sample.gaps);
}

// The rows' numbers before they are percentiles.
struct Gathered {
  LanguageRow row;
  std::vector<double> first;
  std::vector<double> tpot;
  std::vector<double> gaps;
  std::vector<double> total;

  void add(const LanguageSample& sample, const LanguageSlo& slo) {
    row.late_max = std::max(row.late_max, sample.late_seconds);
    if (!sample.ok()) {
      if (row.errors.empty()) row.first_error = sample.error;
      ++row.errors[sample.error_code];
      return;
    }
    if (sample.left) {
      ++row.left;
      return;
    }
    ++row.done;
    if (slo.met_by(sample)) ++row.good;
    row.prompt_tokens += sample.prompt_tokens;
    row.cached_tokens += sample.cached_tokens;
    row.output_tokens += sample.output_tokens;
    row.gap_max = std::max(row.gap_max, longest_gap(sample));
    first.push_back(sample.first_seconds);
    total.push_back(sample.total_seconds);
    gaps.insert(gaps.end(), sample.gaps.begin(), sample.gaps.end());
    if (const auto tpot_seconds = tpot_of(sample)) tpot.push_back(*tpot_seconds);
  }

  LanguageRow finish() {
    row.first = percentiles(std::move(first));
    row.tpot = percentiles(std::move(tpot));
    row.gap = percentiles(std::move(gaps));
    row.total = percentiles(std::move(total));
    return std::move(row);
  }
};

template <typename... Values>
std::string row_text(const char* pattern, Values... values) {
  std::array<char, 512> text{};
  std::snprintf(text.data(), text.size(), pattern, values...);
  return text.data();
}

std::string milliseconds(const Percentiles& of) {
  return row_text(" %8.0f %7.0f %7.0f", of.p50 * 1e3, of.p90 * 1e3, of.p99 * 1e3);
}
std::string fine_milliseconds(const Percentiles& of) {
  return row_text(" %8.1f %7.1f %7.1f", of.p50 * 1e3, of.p90 * 1e3, of.p99 * 1e3);
}

std::string errors_text(const LanguageRow& row) {
  std::string out;
  for (const auto& [code, count] : row.errors) {
    out += (out.empty() ? "" : ", ") + std::to_string(count) + " x " + code;
  }
  if (row.left > 0) out += (out.empty() ? "" : ", ") + std::to_string(row.left) + " left";
  return out.empty() ? "-" : out;
}

std::string line_of(const LanguageRow& row) {
  const double cached = row.prompt_tokens == 0 ? 0
                                               : 100 * static_cast<double>(row.cached_tokens) /
                                                     static_cast<double>(row.prompt_tokens);
  std::string out = row_text(
      "%-14s %-7s %6zu %8.2f %8.1f %6.0f%%",
      row.load.c_str(),
      row.kind.c_str(),
      row.done,
      row.rate(row.done),
      row.rate(row.output_tokens),
      cached
  );
  out += milliseconds(row.first) + fine_milliseconds(row.tpot) + fine_milliseconds(row.gap);
  return out + row_text(" %8.2f  ", row.rate(row.good)) + errors_text(row) + "\n";
}

std::string slo_text(const LanguageSlo& slo) {
  if (!slo.any()) return "every whole answer is good";
  std::string out = "good:";
  if (slo.first_seconds) out += row_text(" first token within %g s", *slo.first_seconds);
  if (slo.tpot_seconds) out += row_text(" tokens within %g s", *slo.tpot_seconds);
  if (slo.gap_seconds) out += row_text(" no gap above %g s", *slo.gap_seconds);
  return out;
}

json::object percentiles_json(const Percentiles& of) {
  return {{"p50", of.p50}, {"p90", of.p90}, {"p99", of.p99}};
}

json::object row_json(const LanguageRow& row) {
  json::object out;
  out["load"] = row.load;
  out["kind"] = row.kind;
  out["seconds"] = row.seconds;
  out["done"] = row.done;
  out["left"] = row.left;
  out["requests_per_second"] = row.rate(row.done);
  out["output_tokens_per_second"] = row.rate(row.output_tokens);
  out["prompt_tokens"] = row.prompt_tokens;
  out["cached_tokens"] = row.cached_tokens;
  out["output_tokens"] = row.output_tokens;
  out["good"] = row.good;
  out["goodput"] = row.rate(row.good);
  out["ttft_seconds"] = percentiles_json(row.first);
  out["tpot_seconds"] = percentiles_json(row.tpot);
  out["itl_seconds"] = percentiles_json(row.gap);
  out["itl_seconds_max"] = row.gap_max;
  out["total_seconds"] = percentiles_json(row.total);
  out["late_seconds_max"] = row.late_max;
  if (row.server_cpu_seconds >= 0) out["server_cpu_seconds"] = row.server_cpu_seconds;
  json::object errors;
  for (const auto& [code, count] : row.errors) errors[code] = count;
  out["errors"] = std::move(errors);
  if (!row.first_error.empty()) out["first_error"] = row.first_error;
  return out;
}

json::object slo_json(const LanguageSlo& slo) {
  json::object out;
  if (slo.first_seconds) out["ttft_seconds"] = *slo.first_seconds;
  if (slo.tpot_seconds) out["tpot_seconds"] = *slo.tpot_seconds;
  if (slo.gap_seconds) out["itl_seconds"] = *slo.gap_seconds;
  return out;
}

}  // namespace

bool LanguageSlo::met_by(const LanguageSample& sample) const {
  if (!sample.whole()) return false;
  if (first_seconds && sample.first_seconds > *first_seconds) return false;
  if (tpot_seconds && tpot_of(sample).value_or(0) > *tpot_seconds) return false;
  return !gap_seconds || longest_gap(sample) <= *gap_seconds;
}

Percentiles percentiles(std::vector<double> values) {
  std::ranges::sort(values);
  return {percentile(values, 0.5), percentile(values, 0.9), percentile(values, 0.99)};
}

std::size_t LanguageRow::error_count() const {
  std::size_t out = 0;
  for (const auto& [code, count] : errors) out += count;
  return out;
}

double LanguageRow::rate(std::size_t count) const {
  return seconds > 0 ? static_cast<double>(count) / seconds : 0;
}

std::vector<LanguageRow> rows_of(
    const LanguageLoad& load, const std::string& name, const LanguageSlo& slo
) {
  std::map<std::string, Gathered> kinds;
  for (const LanguageSample& sample : load.samples) kinds[sample.kind].add(sample, slo);
  if (kinds.size() > 1) {
    Gathered all;
    for (const LanguageSample& sample : load.samples) all.add(sample, slo);
    kinds["all"] = std::move(all);
  }
  std::vector<LanguageRow> out;
  for (auto& [kind, gathered] : kinds) {
    out.push_back(gathered.finish());
    out.back().load = name;
    out.back().kind = kind;
    out.back().seconds = load.seconds;
  }
  return out;
}

void print_language_table(std::ostream& out, const LanguageReport& report) {
  out << report.model << ": " << report.work << ", seed " << report.seed << "; "
      << detail::machine_text() << "\n"
      << slo_text(report.slo) << "\n\n"
      << "                                                          first token, ms          "
         "per token, ms            gap, ms\n"
      << "load           kind      done    req/s    tok/s  cached      p50     p90     p99      "
         "p50     p90     p99      p50     p90     p99  good/s  errors\n";
  for (const LanguageRow& row : report.rows) out << line_of(row);
  for (const LanguageRow& row : report.rows) {
    if (row.server_cpu_seconds <= 0) continue;
    out << row_text(
        "%s: %.1f tokens per CPU second of the server\n",
        row.load.c_str(),
        static_cast<double>(row.output_tokens) / row.server_cpu_seconds
    );
  }
  for (const LanguageRow& row : report.rows) {
    if (row.late_max > 0.1) {
      out << row_text(
          "%s: sent up to %.1f s late, raise --in-flight\n", row.load.c_str(), row.late_max
      );
    }
  }
  for (const LanguageRow& row : report.rows) {
    if (row.first_error.empty()) continue;
    out << "first error: " << row.first_error << "\n";
    return;
  }
}

void print_language_json(std::ostream& out, const LanguageReport& report) {
  json::object all;
  all["model"] = report.model;
  all["work"] = report.work;
  all["seed"] = report.seed;
  all["slo"] = slo_json(report.slo);
  all["machine"] = detail::machine_json();
  json::array rows;
  for (const LanguageRow& row : report.rows) rows.push_back(row_json(row));
  all["rows"] = std::move(rows);
  out << detail::pretty(all);
}

}  // namespace cortex::cli::bench
