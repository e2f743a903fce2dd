// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <iosfwd>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "cli/bench/language_load.h"

namespace cortex::cli::bench {

// What an answer must be to be good; unset: no bound.
struct LanguageSlo {
  std::optional<double> first_seconds;  // the first token
  std::optional<double> tpot_seconds;   // an output token on average
  std::optional<double> gap_seconds;    // the longest gap

  [[nodiscard]] bool any() const { return first_seconds || tpot_seconds || gap_seconds; }
  [[nodiscard]] bool met_by(const LanguageSample& sample) const;
};

struct Percentiles {
  double p50 = 0;
  double p90 = 0;
  double p99 = 0;
};
[[nodiscard]] Percentiles percentiles(std::vector<double> values);

// One row: the requests of one kind under one load.
//   first: due to the first part · tpot: (total - first) / (output tokens - 1), of a request ·
//   gap: between two parts, of all requests together · total: due to the end.
struct LanguageRow {
  std::string load;  // "4 clients", "2.5/s"
  std::string kind;
  std::size_t done = 0;
  std::size_t good = 0;                       // of these, what met the SLO; all where there is none
  std::size_t left = 0;                       // not done, by their clients' choice
  std::map<std::string, std::size_t> errors;  // by code
  std::string first_error;
  Percentiles first;
  Percentiles tpot;
  Percentiles gap;
  Percentiles total;
  double gap_max = 0;
  double late_max = 0;  // sent so long after it was due
  double seconds = 0;
  std::uint64_t prompt_tokens = 0;
  std::uint64_t cached_tokens = 0;
  std::uint64_t output_tokens = 0;
  double server_cpu_seconds = -1;  // of the whole load; below 0 where the server does not tell

  [[nodiscard]] std::size_t error_count() const;
  // Of something that there were so many of, a second.
  [[nodiscard]] double rate(std::size_t count) const;
};

// A row for each kind of the load's, and one for "all" where there are several.
[[nodiscard]] std::vector<LanguageRow> rows_of(
    const LanguageLoad& load, const std::string& name, const LanguageSlo& slo
);

struct LanguageReport {
  std::string model;
  std::string work;  // "chat, prompts of about 64 tokens, answers of about 64"
  unsigned seed = 0;
  LanguageSlo slo;
  std::vector<LanguageRow> rows;
};

void print_language_table(std::ostream& out, const LanguageReport& report);
// With CPU model, cores and memory of this machine; seconds everywhere.
void print_language_json(std::ostream& out, const LanguageReport& report);

}  // namespace cortex::cli::bench
