// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "cli/bench/language_work.h"
#include "net/http_client.h"

namespace cortex::cli::bench {

// What one streamed request came to. Times count from the moment it was due: in an open loop that
// was fixed in advance, so that waiting for a free connection or behind a stall is not left out; in
// a closed loop it is when it was sent.
struct LanguageSample {
  const char* kind = "";
  std::string error_code;  // empty: it succeeded. "429", "503", "stream", "timeout", "connection"
  std::string error;
  bool left = false;        // its client left within the answer, as it was to
  double late_seconds = 0;  // from due to sent
  double first_seconds = 0;
  double total_seconds = 0;
  std::vector<double> gaps;  // between two parts of the answer
  std::uint64_t prompt_tokens = 0;
  std::uint64_t cached_tokens = 0;
  std::uint64_t output_tokens = 0;  // as the server counted; parts, where it did not

  [[nodiscard]] bool ok() const { return error_code.empty(); }
  [[nodiscard]] bool whole() const { return ok() && !left; }
};

struct LanguageLoad {
  std::vector<LanguageSample> samples;
  double seconds = 0;  // from the beginning to the last answer
};

// Sends one request and waits for its end. Called by several workers at once.
using LanguageCall =
    std::function<LanguageSample(std::size_t worker, std::size_t index, TimePoint due)>;

// How long a worker that was answered waits before it asks again.
using LanguagePause = std::function<Duration(std::size_t worker)>;

// Over a connection of one worker; what the answer says is put into `said`. REQUIRES: nobody else
// uses `client` meanwhile.
[[nodiscard]] LanguageSample ask_language_model(
    net::HttpClient& client, const LanguageAsk& ask, TimePoint due, std::string* said = nullptr
);

// Closed loop: `workers` threads, each asks again when it was answered, until `duration` is over;
// then they wait for what is under way. Behind an error a worker pauses for a tenth of a second.
[[nodiscard]] LanguageLoad run_language_closed(
    std::size_t workers,
    Duration duration,
    const LanguageCall& call,
    const LanguagePause& pause = {}
);

// Open loop: request i is due at `schedule[i]` seconds, whatever became of those before. `workers`
// bounds the requests in flight; beyond them requests are sent late, which counts as their latency.
[[nodiscard]] LanguageLoad run_language_open(
    std::size_t workers, const std::vector<double>& schedule, const LanguageCall& call
);

}  // namespace cortex::cli::bench
