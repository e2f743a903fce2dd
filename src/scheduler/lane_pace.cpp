// SPDX-License-Identifier: Apache-2.0
#include "scheduler/lane_pace.h"

#include <algorithm>
#include <chrono>

namespace cortex::scheduler {
namespace {

constexpr double kSecondsMax = 1e6;

Duration of_seconds(double seconds) {
  return std::chrono::duration_cast<Duration>(
      std::chrono::duration<double>(std::min(seconds, kSecondsMax))
  );
}

double seconds_to_serve(const LanePace& pace, double requests, double tokens) {
  return tokens * pace.computed_share * pace.read + requests * pace.answer;
}

}  // namespace

Duration first_token_in(
    const LanePace& pace, std::size_t free_places, const QueueAhead& ahead, std::size_t prompt
) {
  if (pace.read <= 0) return {};
  const auto requests = static_cast<double>(ahead.requests);
  const auto tokens = static_cast<double>(ahead.tokens);
  double wait = 0;
  if (ahead.requests >= free_places) {
    const double before = requests + 1 - static_cast<double>(free_places);
    const auto own = static_cast<double>(prompt);
    const double each = (tokens + own) / (requests + 1);
    wait = seconds_to_serve(pace, before, before * each);
  }
  const double read = pace.read / pace.read_share;
  const double others = static_cast<double>(pace.unread) + tokens * pace.computed_share;
  const double own = static_cast<double>(prompt) * pace.computed_share;
  return of_seconds(pace.step + std::max(wait, others * read) + own * read);
}

Duration served_in(const LanePace& pace, const QueueAhead& queue) {
  return of_seconds(
      seconds_to_serve(pace, static_cast<double>(queue.requests), static_cast<double>(queue.tokens))
  );
}

}  // namespace cortex::scheduler
