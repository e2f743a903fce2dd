// SPDX-License-Identifier: Apache-2.0
#include "cli/bench/language_load.h"

#include <algorithm>
#include <atomic>
#include <iterator>
#include <utility>

#include "base/mutex.h"
#include "base/thread.h"
#include "cli/detail/answer_stream.h"

namespace cortex::cli::bench {
namespace {

// A server that refuses at once is not asked in a tight loop.
constexpr std::chrono::milliseconds kAfterAnError{100};

double load_seconds(TimePoint from, TimePoint to) {
  return std::chrono::duration<double>(to - from).count();
}

// Runs `body` on every worker's thread with samples of its own, then puts them together.
LanguageLoad run_language_workers(
    std::size_t workers,
    const std::function<void(std::size_t worker, std::vector<LanguageSample>& samples)>& body
) {
  std::vector<std::vector<LanguageSample>> samples(workers);
  const TimePoint start = steady_clock().now();
  {
    std::vector<Thread> threads;
    for (std::size_t i = 0; i < workers; ++i) {
      threads.emplace_back("ask-" + std::to_string(i), [&, i] { body(i, samples[i]); });
    }
  }
  LanguageLoad out;
  out.seconds = load_seconds(start, steady_clock().now());
  for (auto& of_worker : samples) {
    std::move(of_worker.begin(), of_worker.end(), std::back_inserter(out.samples));
  }
  return out;
}

void sleep_until_due(TimePoint due) {
  Mutex mutex;
  Condition never;
  MutexLock lock(mutex);
  while (steady_clock().now() < due) static_cast<void>(never.wait_until(mutex, due));
}

std::string error_code_of(const detail::AnswerEnd& end) {
  if (end.status.ok()) return "";
  if (end.http_status != 0 && end.http_status / 100 != 2) return std::to_string(end.http_status);
  if (end.status.code() == Code::kDeadlineExceeded) return "timeout";
  return end.http_status == 0 ? "connection" : "stream";
}

}  // namespace

LanguageSample ask_language_model(
    net::HttpClient& client, const LanguageAsk& ask, TimePoint due, std::string* said
) {
  LanguageSample out;
  out.kind = ask.kind;
  out.late_seconds = load_seconds(due, steady_clock().now());
  out.gaps.reserve(ask.output_tokens);
  std::uint64_t parts = 0;
  TimePoint last;
  const detail::AnswerEnd end = detail::stream_answer(
      client,
      "/v1/completions",
      ask.body,
      [&](const detail::AnswerPart& part) -> Status {
        const TimePoint now = steady_clock().now();
        if (parts++ == 0) {
          out.first_seconds = load_seconds(due, now);
        } else {
          out.gaps.push_back(load_seconds(last, now));
        }
        last = now;
        if (said != nullptr) said->append(part.content);
        out.left = parts == ask.leaves_after;
        return out.left ? cancelled("the client leaves") : Status();
      }
  );
  out.total_seconds = load_seconds(due, steady_clock().now());
  if (out.left) return out;
  out.error_code = error_code_of(end);
  out.error = end.status.text();
  if (out.ok() && parts == 0) {
    out.error_code = "empty";
    out.error = "an answer without a token";
  }
  out.prompt_tokens = end.prompt_tokens;
  out.cached_tokens = end.cached_tokens;
  out.output_tokens = end.completion_tokens > 0 ? end.completion_tokens : parts;
  return out;
}

LanguageLoad run_language_closed(
    std::size_t workers, Duration duration, const LanguageCall& call, const LanguagePause& pause
) {
  const TimePoint end = steady_clock().now() + duration;
  std::atomic<std::size_t> next{0};
  return run_language_workers(workers, [&](std::size_t worker, auto& samples) {
    for (TimePoint now = steady_clock().now(); now < end; now = steady_clock().now()) {
      samples.push_back(call(worker, next.fetch_add(1, std::memory_order_relaxed), now));
      if (!samples.back().ok()) {
        sleep_until_due(steady_clock().now() + kAfterAnError);
      } else if (pause) {
        sleep_until_due(std::min(steady_clock().now() + pause(worker), end));
      }
    }
  });
}

LanguageLoad run_language_open(
    std::size_t workers, const std::vector<double>& schedule, const LanguageCall& call
) {
  const TimePoint start = steady_clock().now();
  std::atomic<std::size_t> next{0};
  return run_language_workers(workers, [&](std::size_t worker, auto& samples) {
    for (;;) {
      const std::size_t index = next.fetch_add(1, std::memory_order_relaxed);
      if (index >= schedule.size()) return;
      const auto offset = std::chrono::duration<double>(schedule[index]);
      const TimePoint due = start + std::chrono::duration_cast<Duration>(offset);
      sleep_until_due(due);
      samples.push_back(call(worker, index, due));
    }
  });
}

}  // namespace cortex::cli::bench
